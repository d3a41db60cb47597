// Why an audit log cannot be opened or read. (Why a record was not taken is a SecretError.)

import Glibc

/// Why an audit log could not be opened or read.
public struct AuditLogError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Code: String, Sendable, CaseIterable {
        /// An option is outside its limits.
        case invalidOption = "invalid_option"
        /// Others may look into the directory.
        case directoryTooOpen = "directory_too_open"
        /// Another process, or another log in this one, has the directory.
        case inUse = "in_use"
        /// A system call failed.
        case fileSystem = "file_system"
        /// The signing key cannot be used, or is not the one that signed before.
        case signingKey = "signing_key"
        /// What is on disk is not what was written.
        case corrupt
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, to what, and what to do about it.
    public let message: String
    /// The file concerned, if it is one.
    public let file: String?
    /// Where in the file, in bytes, if the place is known.
    public let offset: Int?
    /// The log index at which the log stops being good, if the place is known.
    public let index: UInt64?
    /// Whether a system call failed because a file is not there.
    var isMissingFile = false

    /// Makes an error.
    public init(_ code: Code, _ message: String, file: String? = nil, offset: Int? = nil, index: UInt64? = nil) {
        self.code = code
        self.message = message
        self.file = file
        self.offset = offset
        self.index = index
    }

    /// The error of a bad place in a segment.
    static func corrupt(_ file: String, offset: Int, index: UInt64, _ what: String) -> AuditLogError {
        AuditLogError(
            .corrupt,
            "The audit log is damaged in \(file) at byte \(offset), record \(index): \(what). "
                + "Keep the directory as evidence and restore it from a backup, or start a new one.",
            file: file, offset: offset, index: index)
    }

    /// The error of a system call that failed.
    init(_ failure: AuditFileError) {
        self.init(.fileSystem, failure.description, file: failure.path)
        isMissingFile = failure.number == ENOENT
    }
}

extension AuditLogError: CustomStringConvertible {
    /// `code: message`.
    public var description: String { "\(code.rawValue): \(message)" }
}
