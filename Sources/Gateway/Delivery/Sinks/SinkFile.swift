// Small files that sinks need for each request: a credential, a key.

import Glibc
import PosternProtocol

enum SinkFile {
    private static let maximumBytes = 16 << 10

    /// Reads a file that holds one line.
    static func line(_ path: String) throws(SinkFailure) -> SecretBytes {
        // Without O_NONBLOCK, opening a pipe of this name would wait for a writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw unreadable(path, errno) }
        defer { close(file) }
        let text: SecretBytes
        do throws(SecretError) {
            text = try SecretBytes(capacity: maximumBytes) { (buffer) throws(SecretError) in
                var done = 0
                while done < buffer.count {
                    let count = read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                    if count == 0 { break }
                    guard count > 0 || errno == EINTR else { throw SecretError(.internalError, "\(errno)") }
                    done += max(count, 0)
                }
                return done
            }
        } catch {
            throw unreadable(path, Int32(error.message) ?? EIO)
        }
        let line = text.withUnsafeBytes { bytes in
            SecretBytes(
                copying: UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? 0)])
            )
        }
        guard line.count > 0, !line.withUnsafeBytes({ $0.contains { $0 < 0x20 } }) else {
            throw SinkFailure(message: "\(path) must hold one line")
        }
        return line
    }

    private static func unreadable(_ path: String, _ number: Int32) -> SinkFailure {
        SinkFailure(
            message: "\(path) cannot be read: \(strerror(number).map { String(cString: $0) } ?? "error \(number)")")
    }
}
