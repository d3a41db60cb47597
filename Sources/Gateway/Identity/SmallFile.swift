// Reads small configuration files whole, with limits and with the checks that key files need.

import Glibc
import PosternProtocol

/// Files of certificates, keys, revocation lists and deny lists.
enum SmallFile {
    /// The largest file: a revocation list of about a million entries.
    static let maximumBytes = 64 << 20

    /// Reads a file.
    static func read(_ path: String, what: String) throws(SecretError) -> [UInt8] {
        let file = try openFile(path, what: what)
        defer { close(file) }
        return try contents(of: file, path: path, what: what)
    }

    /// Reads a private key, refusing a file that people other than its owner and group can read.
    ///
    /// Permissions are read from the open file, so that what was checked is what is read.
    static func readKey(_ path: String, what: String) throws(SecretError) -> [UInt8] {
        let file = try openFile(path, what: what)
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw failure(path, what: what) }
        let mode = status.st_mode & 0o7777
        guard mode & ~0o640 == 0 else {
            throw SecretError(
                .invalidArgument,
                "\(what) \(path) has permissions \(octal(mode)), which are too open; run: chmod 600 \(path)")
        }
        return try contents(of: file, path: path, what: what)
    }

    private static func openFile(_ path: String, what: String) throws(SecretError) -> Int32 {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure(path, what: what) }
        return file
    }

    private static func contents(of file: Int32, path: String, what: String) throws(SecretError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        defer { unsafe explicit_bzero(&buffer, buffer.count) }
        while true {
            let step = unsafe Glibc.read(file, &buffer, buffer.count)
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else { throw failure(path, what: what) }
            if step == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<step])
            guard bytes.count <= maximumBytes else {
                throw SecretError(.invalidArgument, "\(what) \(path) is larger than \(maximumBytes >> 20) MiB.")
            }
        }
    }

    private static func failure(_ path: String, what: String) -> SecretError {
        SecretError(.invalidArgument, "\(what) \(path) cannot be read: \(unsafe String(cString: strerror(errno))).")
    }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
