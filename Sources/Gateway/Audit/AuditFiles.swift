// The system calls that the writer makes, as a protocol, so that tests can make any of them fail.

import Glibc

/// The file operations of the audit log. Offsets and lengths are in bytes.
package protocol AuditFiles: Sendable {
    /// Opens a file for reading and writing, created with `mode` or emptied if `mode` is given.
    func open(_ path: String, creating mode: UInt32?) throws(AuditFileError) -> Int32
    /// The file's length.
    func length(_ file: Int32, _ path: String) throws(AuditFileError) -> Int
    /// Reads up to `count` bytes from an offset; fewer only at the end of the file.
    func read(_ file: Int32, _ path: String, at offset: Int, count: Int) throws(AuditFileError) -> [UInt8]
    /// Writes all of the bytes at an offset (pwrite).
    func write(_ bytes: [UInt8], to file: Int32, _ path: String, at offset: Int) throws(AuditFileError)
    /// Makes what was written durable (fdatasync).
    func synchronize(_ file: Int32, _ path: String) throws(AuditFileError)
    /// Reserves room on disk from the start of the file (fallocate).
    func reserve(_ file: Int32, _ path: String, bytes: Int) throws(AuditFileError)
    /// Cuts the file (ftruncate).
    func truncate(_ file: Int32, _ path: String, to length: Int) throws(AuditFileError)
    /// Renames a file over another.
    func rename(_ path: String, to target: String) throws(AuditFileError)
    /// Makes names in a directory durable (fsync of the directory).
    func synchronizeDirectory(_ path: String) throws(AuditFileError)
    /// Closes a file. Whether that works makes no difference to what is durable.
    func close(_ file: Int32)
}

/// A system call that failed.
package struct AuditFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was to be done, as in `write`.
    package let operation: String
    /// To which file.
    package let path: String
    /// The system's error number.
    package let number: Int32

    /// Makes an error.
    package init(_ operation: String, _ path: String, number: Int32) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    /// The error number of a file that is not there.
    static let missing = ENOENT

    package var description: String {
        "Cannot \(operation) \(path): \(SystemAuditFiles.text(of: number))."
    }
}
