// Reads a small file that holds a token, a secret ID or a JWT.

import Glibc
import PosternProtocol

enum CredentialFile {
    private static let maximumBytes = 64 << 10

    /// What tells one state of a file from another. Kubernetes and agents replace files; editors write into them.
    struct Stamp: Sendable, Equatable {
        private let device: UInt
        private let inode: UInt
        private let size: Int
        private let seconds: Int
        private let nanoseconds: Int

        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            size = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    /// The file's stamp, or nil if there is none.
    static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        return stat(path, &status) == 0 ? Stamp(status) : nil
    }

    /// Reads a file without the white space at its end. Symbolic links are followed: Kubernetes mounts credentials so.
    /// - Throws: `invalid_argument` saying why it cannot be read.
    static func read(_ path: String) throws(SecretError) -> (SecretBytes, Stamp) {
        // Without O_NONBLOCK, opening a pipe of this name would wait for a writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw failure() }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure() }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SecretError(.invalidArgument, "it is not a regular file.")
        }
        let bytes = try SecretBytes(capacity: maximumBytes + 1) { (buffer) throws(SecretError) in
            var done = 0
            while done < buffer.count {
                let count = Glibc.read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count == 0 { break }
                guard count > 0 || errno == EINTR else { throw failure() }
                done += max(count, 0)
            }
            guard done <= maximumBytes else {
                throw SecretError(.invalidArgument, "it is longer than \(maximumBytes) bytes.")
            }
            while done > 0, [0x20, 0x09, 0x0A, 0x0D].contains(buffer[done - 1]) { done -= 1 }
            return done
        }
        return (bytes, Stamp(status))
    }

    private static func failure() -> SecretError {
        let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
        return SecretError(.invalidArgument, "\(reason).")
    }
}
