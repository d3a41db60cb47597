// How far a sink has been given the log, in a small file: written anew beside the old one, synced, renamed.

import Foundation
import Glibc
import PosternCoding
import PosternProtocol

/// The file of a sink's cursor.
struct DeliveryCursor: Sendable {
    /// What is in it.
    struct Content: Equatable, Sendable {
        /// The index of the first record that is not known to have arrived.
        var next: UInt64
        /// Which log.
        var origin: String
    }

    private static let maximumBytes = 4_096

    let path: String

    /// A sink's file in a directory.
    init(directory: String, sink: String) { path = "\(directory)/\(sink).cursor" }

    /// Reads it.
    /// - Returns: nil if there is none.
    func read() throws(SinkFailure) -> Content? {
        let bytes: [UInt8]
        do {
            bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)).prefix(Self.maximumBytes))
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        } catch {
            throw SinkFailure(message: "\(path) cannot be read: \((error as NSError).localizedDescription)")
        }
        var (next, origin): (UInt64?, String?)
        let problem = bytes.withUnsafeBytes { bytes in
            do throws(SecretError) {
                try JSONReader.read(bytes) { (reader, name) throws(SecretError) in
                    switch name {
                    case "next": next = UInt64(exactly: try reader.integer(name))
                    case "origin": origin = try reader.string(name)
                    default: _ = try reader.raw(name)
                    }
                }
                return nil as String?
            } catch {
                return error.message
            }
        }
        if let problem { throw SinkFailure(message: "\(path) is no cursor (\(problem)); remove it to start anew") }
        guard let next, let origin else {
            throw SinkFailure(message: "\(path) is no cursor; remove it to start anew")
        }
        return Content(next: next, origin: origin)
    }

    /// Writes it, durably.
    func write(_ content: Content) throws(SinkFailure) {
        let text = JSONValue.object([
            ("next", .number(Int(clamping: content.next))), ("origin", .text(content.origin)), ("v", .number(1)),
        ]).string
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if mkdir(folder, 0o700) == 0 { try synchronize(folder + "/..", O_RDONLY | O_DIRECTORY) }
        let new = path + ".new"
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure(new, "open") }
        let bytes = Array((text + "\n").utf8)
        let isWritten = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } == bytes.count
        guard isWritten, fsync(file) == 0 else {
            let failure = failure(new, "write")
            close(file)
            throw failure
        }
        close(file)
        guard rename(new, path) == 0 else { throw failure(path, "rename") }
        try synchronize(folder, O_RDONLY | O_DIRECTORY)
    }

    private func synchronize(_ folder: String, _ flags: Int32) throws(SinkFailure) {
        let directory = open(folder, flags | O_CLOEXEC)
        guard directory >= 0 else { throw failure(folder, "open") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure(folder, "sync") }
    }

    private func failure(_ path: String, _ call: String) -> SinkFailure {
        SinkFailure(message: "\(path): \(call): \(strerror(errno).map { String(cString: $0) } ?? "error \(errno)")")
    }
}
