// Writes a file whole or not at all, with its permissions right from the first byte.

import Glibc
import PosternProtocol

/// Files that did not exist before, or that replace others in one step.
enum NewFile {
    static func exists(_ path: String) -> Bool {
        unsafe faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    static func remove(_ path: String) {
        unsafe unlink(path)
    }

    static func taken(_ path: String) -> SecretError {
        SecretError(.conflict, "\(path) exists already; remove it, choose another name, or ask to replace it.")
    }

    static func write(
        _ content: SecretBytes, to path: String, mode: mode_t, replacing: Bool
    ) throws(SecretError) {
        // A replacement is written beside its target and renamed over it, so that a reader sees one or the other.
        let target = replacing ? "\(path).\(UInt32.random(in: 0 ... .max)).new" : path
        let file = unsafe open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard file >= 0 else {
            if errno == EEXIST { throw taken(path) }
            throw failure(path)
        }
        do throws(SecretError) {
            defer { close(file) }
            // The process's umask may have taken bits away; never does it add any.
            guard fchmod(file, mode) == 0 else { throw failure(path) }
            try writeAll(content, to: file, path: path)
            guard fsync(file) == 0 else { throw failure(path) }
        } catch {
            remove(target)
            throw error
        }
        if replacing, unsafe rename(target, path) != 0 {
            let error = failure(path)
            remove(target)
            throw error
        }
    }

    private static func writeAll(_ content: SecretBytes, to file: Int32, path: String) throws(SecretError) {
        try unsafe content.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(SecretError) in
            var written = 0
            while written < bytes.count {
                let step = unsafe Glibc.write(file, bytes.baseAddress?.advanced(by: written), bytes.count - written)
                if step < 0, errno == EINTR { continue }
                guard step > 0 else { throw failure(path) }
                written += step
            }
        }
    }

    private static func failure(_ path: String) -> SecretError {
        SecretError(.internalError, "\(path) could not be written: \(unsafe String(cString: strerror(errno))).")
    }
}
