// A PIN in a file.

import Glibc
import PosternProtocol

/// A file with a PIN: regular, of moderate size, and not for others to read. A symbolic link is followed, since that is
/// how orchestrators mount secrets.
struct PINFile {
    private static let maximumBytes = 1_024
    let path: String

    /// Reads it.
    /// - Throws: `key_unavailable` saying what is wrong and how to mend it.
    func read() throws(SecretError) -> SecretBytes {
        // Without O_NONBLOCK, opening a pipe of this name would wait for a writer.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw refused("it cannot be opened: \(Self.reason(errno))") }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw refused("it cannot be examined: \(Self.reason(errno))") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refused("it is not a regular file") }
        guard status.st_mode & 0o007 == 0 else {
            throw refused("others may use it (its mode is 0\(String(status.st_mode & 0o777, radix: 8))); chmod o= it")
        }
        return try PINText.read(from: file, limit: Self.maximumBytes) { (why) in refused(why) }
    }

    private func refused(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "The PIN file \(path) is refused: \(why).")
    }

    static func reason(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

/// What files and commands have in common: some bytes, and perhaps a newline that does not count.
enum PINText {
    /// Reads to the end of a file.
    static func read(
        from file: Int32, limit: Int, _ refused: (String) -> SecretError
    ) throws(SecretError) -> SecretBytes {
        let text = try unsafe SecretBytes(capacity: limit + 1) { (buffer) throws(SecretError) in
            var done = 0
            while done < buffer.count {
                let count = unsafe Glibc.read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count == 0 { break }
                guard count > 0 || errno == EINTR else { throw refused("reading failed: \(PINFile.reason(errno))") }
                done += max(count, 0)
            }
            guard done <= limit else { throw refused("it is longer than \(limit) bytes, so not a PIN") }
            return done
        }
        return try trimmed(text, refused)
    }

    /// Leaves out one newline at the end.
    static func trimmed(_ text: SecretBytes, _ refused: (String) -> SecretError) throws(SecretError) -> SecretBytes {
        let pin = unsafe text.withUnsafeBytes { bytes in
            var count = bytes.count
            if unsafe count > 0 && bytes[count - 1] == UInt8(ascii: "\n") { count -= 1 }
            if unsafe count > 0 && bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
            return unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        guard pin.count > 0 else { throw refused("it is empty") }
        return pin
    }
}
