// The real file operations, on Glibc.

import CProcess
import Glibc

/// The operating system's files.
package struct SystemAuditFiles: AuditFiles {
    /// Makes it.
    package init() {}

    /// The system's text for an error number.
    static func text(of number: Int32) -> String {
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }

    package func open(_ path: String, creating mode: UInt32?) throws(AuditFileError) -> Int32 {
        let file =
            if let mode {
                unsafe Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
            } else {
                unsafe Glibc.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            }
        guard file >= 0 else { throw AuditFileError("open", path, number: errno) }
        return file
    }

    package func length(_ file: Int32, _ path: String) throws(AuditFileError) -> Int {
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw AuditFileError("stat", path, number: errno) }
        return status.st_size
    }

    package func read(
        _ file: Int32, _ path: String, at offset: Int, count: Int
    ) throws(AuditFileError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { target, filled in
            while filled < target.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(target)[filled...])
                let got = unsafe pread(file, rest.baseAddress, rest.count, off_t(offset + filled))
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    failure = errno
                    return
                }
            }
        }
        guard failure == 0 else { throw AuditFileError("read", path, number: failure) }
        return bytes
    }

    package func write(
        _ bytes: [UInt8], to file: Int32, _ path: String, at offset: Int
    ) throws(AuditFileError) {
        let failure: Int32 = unsafe bytes.withUnsafeBytes { source in
            var written = 0
            while written < source.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: source[written...])
                let put = unsafe pwrite(file, rest.baseAddress, rest.count, off_t(offset + written))
                if put > 0 {
                    written += put
                } else if put == 0 || errno != EINTR {
                    return put == 0 ? EIO : errno
                }
            }
            return 0
        }
        guard failure == 0 else { throw AuditFileError("write", path, number: failure) }
    }

    package func synchronize(_ file: Int32, _ path: String) throws(AuditFileError) {
        guard fdatasync(file) == 0 else { throw AuditFileError("fdatasync", path, number: errno) }
    }

    package func reserve(_ file: Int32, _ path: String, bytes: Int) throws(AuditFileError) {
        let number = postern_file_reserve(file, 0, Int64(bytes))
        guard number == 0 else { throw AuditFileError("reserve \(bytes) bytes for", path, number: number) }
    }

    package func truncate(_ file: Int32, _ path: String, to length: Int) throws(AuditFileError) {
        guard ftruncate(file, off_t(length)) == 0 else { throw AuditFileError("truncate", path, number: errno) }
    }

    package func rename(_ path: String, to target: String) throws(AuditFileError) {
        guard unsafe Glibc.rename(path, target) == 0 else { throw AuditFileError("rename", path, number: errno) }
    }

    package func synchronizeDirectory(_ path: String) throws(AuditFileError) {
        let directory = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw AuditFileError("open", path, number: errno) }
        defer { _ = Glibc.close(directory) }
        guard fsync(directory) == 0 else { throw AuditFileError("fsync", path, number: errno) }
    }

    package func close(_ file: Int32) {
        _ = Glibc.close(file)
    }
}
