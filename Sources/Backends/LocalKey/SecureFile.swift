// A small file that only the running user may read: refuses to read any other, and appears whole or not at all.

import Glibc
import PosternProtocol

struct SecureFile {
    private static let maximumBytes = 4_096
    let path: String

    /// Whether there is anything of this name, be it only a symbolic link.
    var exists: Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Reads the file after checking, on the open file, that nobody else may read or replace its contents.
    /// - Throws: `key_unavailable` saying what is wrong and how to mend it.
    func read() throws(SecretError) -> SecretBytes {
        // Without O_NONBLOCK, opening a pipe of this name would wait for a writer.
        let file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw errno == ELOOP ? refused("it is a symbolic link; name the file itself") : failed("open", errno)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failed("examine", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refused("it is not a regular file") }
        guard status.st_uid == geteuid() else {
            throw refused("it belongs to user \(status.st_uid), not to \(geteuid()) as whom this runs; chown it")
        }
        guard status.st_mode & 0o7177 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw refused("its mode is 0\(mode), which is more open than 0600; run: chmod 600 \(path)")
        }
        return try SecretBytes(capacity: Self.maximumBytes + 1) { (buffer) throws(SecretError) in
            var done = 0
            while done < buffer.count {
                let count = Glibc.read(file, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count == 0 { break }
                guard count > 0 || errno == EINTR else { throw failed("read", errno) }
                done += max(count, 0)
            }
            guard done <= Self.maximumBytes else { throw refused("it is longer than \(Self.maximumBytes) bytes") }
            return done
        }
    }

    /// Creates the file with mode 0600, durable once this returns. If it is there already, leaves it alone.
    ///
    /// It is written under another name and then linked, so that nobody ever reads half of it.
    /// - Throws: `key_unavailable` if that cannot be done.
    func create(_ contents: SecretBytes) throws(SecretError) {
        let draft = "\(path).new-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failed("create", errno) }
        defer {
            close(file)
            unlink(draft)
        }
        try contents.withUnsafeBytes { (bytes) throws(SecretError) in
            var done = 0
            while done < bytes.count {
                let count = write(file, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                guard count > 0 || errno == EINTR else { throw failed("write", errno) }
                done += max(count, 0)
            }
        }
        // The umask may have taken more than it should.
        guard fchmod(file, 0o600) == 0, fsync(file) == 0 else { throw failed("write", errno) }
        guard link(draft, path) == 0 || errno == EEXIST else { throw failed("create", errno) }
        try syncDirectory()
    }

    private func syncDirectory() throws(SecretError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failed("create", errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failed("create", errno) }
    }

    private func failed(_ what: String, _ code: Int32) -> SecretError {
        let reason = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return SecretError(.keyUnavailable, "Could not \(what) the key file \(path): \(reason).")
    }

    private func refused(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "The key file \(path) is refused: \(why).")
    }
}
