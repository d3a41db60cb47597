// SQLite's errors in Postern's words. Only codes are taken over: SQL and its values stay out of messages.

import GRDB
import PosternProtocol

/// The error to throw instead of one that SQLite, GRDB or a task threw.
/// - Parameters:
///   - error: what was thrown.
///   - what: what was being done, as in `writing a/b`.
func translated(_ error: any Error, _ what: String) -> SecretError {
    switch error {
    case let error as SecretError:
        return error
    case is CancellationError:
        return SecretError(.cancelled, "The caller gave up while \(what).")
    case is DecodingError, is RowDecodingError:
        return SecretError(.integrityFailure, "The secrets file holds something unreadable: \(what) failed.")
    case let error as DatabaseError:
        return translated(error, what)
    default:
        return SecretError(.internalError, "\(what) failed.")
    }
}

private func translated(_ error: DatabaseError, _ what: String) -> SecretError {
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED:
        SecretError(.backendUnavailable, "Another program keeps the secrets file locked: \(what) failed; try again.")
    case .SQLITE_FULL:
        SecretError(.backendUnavailable, "The disk of the secrets file is full: \(what) failed; make room.")
    case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
        SecretError(
            .integrityFailure,
            "The secrets file is damaged or is no SQLite file: \(what) failed; restore it from a backup.")
    case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_NOMEM, .SQLITE_PROTOCOL:
        SecretError(
            .backendUnavailable,
            "The secrets file cannot be used (SQLite code \(error.extendedResultCode.rawValue)): \(what) failed.")
    case .SQLITE_INTERRUPT, .SQLITE_ABORT:
        SecretError(.cancelled, "\(what) was interrupted.")
    case .SQLITE_MISUSE:
        SecretError(.backendUnavailable, "The secrets file is closed: \(what) failed.")
    default:
        SecretError(.internalError, "SQLite code \(error.extendedResultCode.rawValue): \(what) failed.")
    }
}
