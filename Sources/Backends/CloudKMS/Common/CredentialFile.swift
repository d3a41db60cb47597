// A small file that holds credentials.

import Glibc
import PosternProtocol

enum CredentialFile {
    private static let maximumBytes = 256 << 10

    /// Reads a file.
    /// - Parameters:
    ///   - path: where it is.
    ///   - what: what it is, for the message.
    /// - Returns: nil if there is none.
    /// - Throws: `key_unavailable` if it cannot be read or is too long.
    static func read(_ path: String, _ what: String) throws(SecretError) -> SecretBytes? {
        func failed(_ code: Int32) -> SecretError {
            let reason = strerror(code).map { String(cString: $0) } ?? "error \(code)"
            return SecretError(.keyUnavailable, "\(what) \(path) cannot be read: \(reason).")
        }
        // Without O_NONBLOCK, opening a pipe of this name would wait for a writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if file < 0, errno == ENOENT || errno == ENOTDIR { return nil }
        guard file >= 0 else { throw failed(errno) }
        defer { close(file) }
        return try SecretBytes(capacity: maximumBytes + 1) { (buffer) throws(SecretError) in
            var done = 0
            while done < buffer.count {
                let count = Glibc.read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count == 0 { break }
                guard count > 0 || errno == EINTR else { throw failed(errno) }
                done += max(count, 0)
            }
            guard done <= maximumBytes else {
                throw SecretError(.keyUnavailable, "\(what) \(path) is longer than \(maximumBytes) bytes.")
            }
            return done
        }
    }

    /// Reads a file that must be there and hold one line.
    /// - Throws: `key_unavailable`.
    static func readLine(_ path: String, _ what: String) throws(SecretError) -> SecretBytes {
        guard let text = try read(path, what) else {
            throw SecretError(.keyUnavailable, "\(what) \(path) is not there.")
        }
        let line = text.withUnsafeBytes { bytes in
            SecretBytes(copying: bytes.trimmed)
        }
        guard line.count > 0, !line.withUnsafeBytes({ $0.contains { $0 == 0x0A || $0 == 0x0D } }) else {
            throw SecretError(.keyUnavailable, "\(what) \(path) must hold one line.")
        }
        return line
    }
}

extension BidirectionalCollection<UInt8> {
    /// Without the white space at both ends.
    var trimmed: SubSequence {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let start = firstIndex { !isSpace($0) } ?? endIndex
        let end = self[start...].lastIndex { !isSpace($0) }.map { index(after: $0) } ?? start
        return self[start..<end]
    }
}

extension SecretBytes {
    /// The bytes as a text, where an interface takes nothing else.
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
