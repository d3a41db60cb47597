import Foundation
import PosternProtocol

/// A folder that is removed with its last holder.
final class TemporaryFolder: Sendable {
    private let root: URL

    init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("local-key-\(UUID())")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: false)
    }

    deinit {
        // A folder that cannot be removed fails no promise.
        try? FileManager.default.removeItem(at: root)
    }

    func path(_ name: String) -> String { root.appendingPathComponent(name).path }

    func file(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let path = path(name)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        guard chmod(path, mode_t(mode)) == 0 else { throw CocoaError(.fileWriteNoPermission) }
        return path
    }

    func mode(_ name: String) throws -> Int {
        var status = stat()
        guard stat(path(name), &status) == 0 else { throw CocoaError(.fileNoSuchFile) }
        return Int(status.st_mode & 0o7777)
    }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: root.path).sorted() }
}

var soon: Deadline { .after(.seconds(60)) }
