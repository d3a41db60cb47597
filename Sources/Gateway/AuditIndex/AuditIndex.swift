// A SQLite file that finds records of the audit log by principal, action, path, time and outcome. It is derived from the log and
// never the truth: it has only what is searched for, answers with indexes, and can be removed at any time.

import Foundation
import Glibc
import GRDB
import PosternAudit
public import PosternProtocol

/// The index over one audit log.
///
/// Several programs may have one index open at a time: each adds what is not there yet.
public final class AuditIndex: Sendable {
    /// The index's file in an audit directory.
    public static let fileName = "query-index.sqlite"

    let database: DatabasePool
    let reader: AuditLogReader

    /// Opens an index, or makes it.
    /// - Parameters:
    ///   - directory: the log's directory.
    ///   - file: the index's file; nil for the one in the log's directory.
    /// - Throws: `backend_unavailable` if the file cannot be made or used.
    public init(directory: String, file: String? = nil) throws(SecretError) {
        let path = file ?? directory + "/" + Self.fileName
        reader = AuditLogReader(directory: directory)
        do {
            database = try Self.open(path)
        } catch {
            throw Self.translated(error, "opening \(path)")
        }
    }

    /// Opens the file; one of another format, or damaged, is made anew, since nothing is lost with it.
    private static func open(_ path: String) throws -> DatabasePool {
        do {
            return try connect(path)
        } catch let error as DatabaseError
            where [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_ERROR].contains(error.resultCode)
        {
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.removeItem(atPath: path + suffix)
            }
            return try connect(path)
        }
    }

    private static func connect(_ path: String) throws -> DatabasePool {
        // Who did what is for the log's owner alone; SQLite gives its other files the same mode.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SecretError(
                .backendUnavailable,
                "The query index \(path) cannot be made here: \(String(cString: strerror(errno))). Name another file.")
        }
        _ = Glibc.close(descriptor)
        var configuration = Configuration()
        configuration.label = "postern.audit-index"
        configuration.busyMode = .timeout(60)
        let database = try DatabasePool(path: path, configuration: configuration)
        try database.write { db in
            let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard found != AuditIndexSchema.version else { return }
            try AuditIndexSchema.create(in: db)
        }
        return database
    }

    /// Closes the file.
    public func close() throws(SecretError) {
        do { try database.close() } catch { throw Self.translated(error, "closing the query index") }
    }

    /// The error to throw instead of one of SQLite's.
    static func translated(_ error: any Error, _ what: String) -> SecretError {
        switch error {
        case let error as SecretError: error
        case let error as AuditLogError:
            SecretError(error.code == .corrupt ? .integrityFailure : .auditUnavailable, error.message)
        case is CancellationError: SecretError(.cancelled, "The caller gave up while \(what).")
        case let error as DatabaseError:
            SecretError(
                .backendUnavailable,
                "\(what) failed (SQLite code \(error.extendedResultCode.rawValue)). The index is derived from the log: "
                    + "make room, or remove its file to have it made anew.")
        default: SecretError(.internalError, "\(what) failed.")
        }
    }
}
