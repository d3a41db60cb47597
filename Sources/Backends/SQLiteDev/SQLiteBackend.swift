// The backend for development: versioned secrets in one SQLite file, safe against crashes, for one process.
//
// Every call runs on the one connection's own queue, off Swift's cooperative threads, one after the other. With a
// single connection, compare-and-set needs no more than a transaction.

import Foundation
import GRDB
import GRDBSQLite
public import PosternProtocol
import Synchronization

/// A secret backend over a SQLite file.
///
/// The file and its folder are private to their owner, and a lock beside the file keeps other processes off. An
/// acknowledged write is synced to disk. Destroyed and removed values are overwritten, in the file and its log.
public final class SQLiteBackend: SecretBackend {
    /// The name in logs: `sqlite`.
    public let name = "sqlite"

    /// How long a call waits for another program that locks the file, as a backup does.
    private static let busyTimeoutMilliseconds: Int32 = 2_000

    let database: DatabaseQueue
    let clock: any WallClock
    private let lock: Mutex<FileLock?>
    let gate = CallGate()
    /// Whether the write-ahead log may still hold values that were destroyed.
    private let logHoldsDestroyed = Mutex(false)

    /// Opens a secrets file, and makes it and its folder if they are not there.
    /// - Parameters:
    ///   - path: the file. Beside it are `-wal` and `-shm`, which belong to it, and `.lock`.
    ///   - clock: tells when versions are written and when they expire.
    /// - Throws: `backend_unavailable` if the file is in use by another process, open to others than its owner,
    ///   made by a newer Postern, or cannot be opened; `integrity_failure` if it is damaged.
    public static func open(
        path: String, clock: any WallClock = SystemWallClock()
    ) async throws(SecretError) -> SQLiteBackend {
        let result = await withCheckedContinuation { continuation in
            // Opening reads and writes files, which must not hold up the cooperative threads.
            DispatchQueue.global().async {
                continuation.resume(
                    returning: Result { () throws(SecretError) in try SQLiteBackend(path: path, clock: clock) })
            }
        }
        return try result.get()
    }

    private init(path: String, clock: any WallClock) throws(SecretError) {
        try SecretsFile.prepareFolder(of: path)
        // One file has one lock, by whatever links it is reached.
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        // The lock comes first: closing any descriptor of a file drops SQLite's own locks on it in this process.
        let lock = try FileLock(path: path + ".lock", guarding: "The secrets file \(path)")
        try SecretsFile.prepareFile(path)
        do {
            self.database = try Self.connect(path)
        } catch {
            throw translated(error, "opening \(path)")
        }
        self.clock = clock
        self.lock = Mutex(lock)
    }

    private static func connect(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "postern.sqlite"
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(TimeInterval(busyTimeoutMilliseconds) / 1_000)
        configuration.prepareDatabase { db in
            // What is deleted is overwritten with zeros.
            try db.execute(sql: "PRAGMA secure_delete = ON")
        }
        let database = try DatabaseQueue(path: path, configuration: configuration)
        guard try !database.read(migrations.hasBeenSuperseded) else {
            throw SecretError(
                .backendUnavailable,
                "The secrets file \(path) was made by a newer Postern; start that one, or another file.")
        }
        try migrations.migrate(database)
        try database.writeWithoutTransaction { db in
            // Each commit is synced; GRDB sets NORMAL, which may lose the last ones at a power cut.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // A crash may have come between a destruction and the emptying of the log.
            _ = try db.checkpoint(.truncate)
        }
        return database
    }

    /// Closes the file, once the calls that are running have ended. Later calls throw `backend_unavailable`;
    /// closing again does nothing.
    /// - Throws: `backend_unavailable` if SQLite cannot close it.
    public func close() async throws(SecretError) {
        guard await gate.close() else { return }
        let database = database
        let result = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Result { try database.close() }) }
        }
        do {
            try result.get()
        } catch {
            throw translated(error, "closing the secrets file")
        }
        // Dropped outside of the lock: its end closes a descriptor.
        _ = lock.withLock { $0.take() }
    }

    /// Reads in one transaction, so that all that is read is of one moment.
    func reading<T: Sendable>(
        _ what: @autoclosure @escaping @Sendable () -> String, _ deadline: Deadline,
        _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(SecretError) -> T {
        try deadline.check(what())
        try gate.enter()
        defer { gate.leave() }
        do {
            return try await database.read { db in
                try deadline.check(what())
                return try body(db)
            }
        } catch {
            throw translated(error, what())
        }
    }

    /// Changes in one transaction, which is undone if `body` throws.
    /// - Parameter erasing: whether values are destroyed, so that the write-ahead log has to be emptied too.
    func writing<T: Sendable>(
        _ what: @autoclosure @escaping @Sendable () -> String, _ deadline: Deadline, erasing: Bool = false,
        _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(SecretError) -> T {
        try deadline.check(what())
        try gate.enter()
        defer { gate.leave() }
        do {
            return try await database.writeWithoutTransaction { db in
                // It may have waited for its turn.
                try deadline.check(what())
                // Said before the commit, so that no way out of it can miss it.
                if erasing { self.logHoldsDestroyed.withLock { $0 = true } }
                var result: T?
                try db.inTransaction(.immediate) {
                    result = try body(db)
                    return .commit
                }
                self.emptyLogIfNeeded(db)
                guard let result else { throw SecretError(.internalError, "\(what()) gave no result.") }
                return result
            }
        } catch {
            throw translated(error, what())
        }
    }

    /// Empties the write-ahead log if destroyed values may be in it. The change is committed by now, so a failure
    /// (somebody else reads the file) is not the caller's: it is tried again with each write, and shown by health.
    private func emptyLogIfNeeded(_ db: Database) {
        guard logHoldsDestroyed.withLock({ $0 }) else { return }
        do {
            // Without waiting: a long reader must not make each write wait for it. Not by statements, which GRDB does
            // not execute once the task is cancelled.
            sqlite3_busy_timeout(db.sqliteConnection, 0)
            defer { sqlite3_busy_timeout(db.sqliteConnection, Self.busyTimeoutMilliseconds) }
            _ = try db.checkpoint(.truncate)
            logHoldsDestroyed.withLock { $0 = false }
        } catch {
            logHoldsDestroyed.withLock { $0 = true }
        }
    }

    /// Says whether the file can be read now.
    public func health(deadline: Deadline) async -> BackendHealth {
        do throws(SecretError) {
            try await reading("asking for health", deadline) { db in
                _ = try Int.fetchOne(db, sql: "SELECT id FROM secret LIMIT 1")
            }
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
        guard !logHoldsDestroyed.withLock({ $0 }) else {
            return BackendHealth(
                isReady: true, detail: "another program reads the secrets file: destroyed values are still in its log")
        }
        return BackendHealth(isReady: true, detail: "ok")
    }
}
