// The directory of an audit log: its files' names, who may look into it, and that one writer has it.

import Glibc

/// Names in an audit log's directory.
enum AuditDirectory {
    /// The reserved room for the next segment.
    static let reservedName = "next.reserved"
    /// What the writer holds a lock on.
    static let lockName = "lock"

    /// A segment's file name: its first index in 20 digits.
    static func segmentName(_ firstIndex: UInt64) -> String {
        let digits = String(firstIndex)
        return String(repeating: "0", count: 20 - digits.count) + digits + ".wal"
    }

    /// The first indexes of the segments that are there, in order.
    static func segments(in directory: String) throws(AuditLogError) -> [UInt64] {
        guard let stream = unsafe opendir(directory) else {
            throw AuditLogError(AuditFileError("open", directory, number: errno))
        }
        defer { unsafe closedir(stream) }
        var found: [UInt64] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(".wal"), let index = UInt64(name.dropLast(4)), segmentName(index) == name else {
                continue
            }
            found.append(index)
        }
        return found.sorted()
    }

    /// Makes the directory if it is not there, and refuses one that others can look into.
    static func prepare(_ directory: String) throws(AuditLogError) {
        if unsafe mkdir(directory, 0o700) == 0 {
            // Otherwise a power cut could take the whole directory with it.
            do throws(AuditFileError) {
                try SystemAuditFiles().synchronizeDirectory(directory + "/..")
            } catch {
                throw AuditLogError(error)
            }
        } else if errno != EEXIST {
            throw AuditLogError(AuditFileError("make directory", directory, number: errno))
        }
        var status = stat()
        guard unsafe stat(directory, &status) == 0 else {
            throw AuditLogError(AuditFileError("stat", directory, number: errno))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AuditLogError(.fileSystem, "\(directory) is not a directory.", file: directory)
        }
        let mode = status.st_mode & 0o777
        guard mode & 0o077 == 0 else {
            throw AuditLogError(
                .directoryTooOpen,
                "The audit log's directory \(directory) has mode 0\(String(mode, radix: 8)), so that others can reach "
                    + "it; run `chmod 700 \(directory)`.",
                file: directory)
        }
    }

    /// Takes the directory's lock. It ends at ``unlock(_:)`` or with the process.
    static func lock(_ directory: String) throws(AuditLogError) -> Int32 {
        let path = directory + "/" + lockName
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw AuditLogError(AuditFileError("open", path, number: errno)) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            _ = close(file)
            guard number == EWOULDBLOCK else { throw AuditLogError(AuditFileError("lock", path, number: number)) }
            throw AuditLogError(
                .inUse,
                "The audit log in \(directory) is being written by another gateway; stop that one, or give each a "
                    + "directory of its own.",
                file: directory)
        }
        return file
    }

    /// Gives up the lock. Closing alone would not while a child that is just being started has a copy.
    static func unlock(_ file: Int32) {
        _ = flock(file, LOCK_UN)
        _ = close(file)
    }
}
