// Rows to values and back.

import Foundation
import GRDB
import PosternProtocol

/// A row of the table `secret`.
struct SecretRow {
    let id: Int64
    let path: SecretPath
    let current: Int
    let createdAt: Timestamp
    let updatedAt: Timestamp
    let metadata: SecretMetadata

    /// Finds a secret.
    /// - Returns: nil if there is none.
    static func find(_ path: SecretPath, in db: Database) throws -> SecretRow? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT id, current, created_at, updated_at, max_versions, delete_after, cas_required, labels
                FROM secret WHERE path = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: [path.text]) else { return nil }
        let labels = try JSONDecoder().decode([String: String].self, from: Data((row[7] as String).utf8))
        return SecretRow(
            id: row[0], path: path, current: row[1], createdAt: Timestamp(microseconds: row[2]),
            updatedAt: Timestamp(microseconds: row[3]),
            metadata: SecretMetadata(
                maxVersions: row[4], deleteVersionAfterSeconds: row[5], casRequired: row[6], labels: labels))
    }

    /// Finds a secret that must be there.
    /// - Throws: `not_found`.
    static func need(_ path: SecretPath, in db: Database) throws -> SecretRow {
        guard let found = try find(path, in: db) else { throw SecretError.notFound(path) }
        return found
    }

    /// One version as it is now.
    /// - Throws: `not_found`.
    func version(_ number: Int, at now: Timestamp, in db: Database) throws -> VersionInfo {
        let statement = try db.cachedStatement(
            sql: "SELECT number, etag, created_at, deletes_at, destroyed FROM version WHERE secret = ? AND number = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id, number]) else {
            throw SecretError.notFound(path, version: number)
        }
        return VersionInfo(row, at: now)
    }

    /// All versions as they are now, oldest first.
    func versions(at now: Timestamp, in db: Database) throws -> [VersionInfo] {
        let statement = try db.cachedStatement(
            sql: "SELECT number, etag, created_at, deletes_at, destroyed FROM version WHERE secret = ? ORDER BY number")
        return try Row.fetchAll(statement, arguments: [id]).map { VersionInfo($0, at: now) }
    }

    /// The fields of a version, in order.
    func payload(_ number: Int, in db: Database) throws -> Payload {
        let statement = try db.cachedStatement(
            sql: "SELECT name, value FROM field WHERE secret = ? AND version = ? ORDER BY position")
        var fields: [Payload.Field] = []
        let rows = try Row.fetchCursor(statement, arguments: [id, number])
        while let row = try rows.next() {
            // The bytes are copied straight from SQLite's memory into memory that is wiped.
            let value = try row.withUnsafeData(atIndex: 1) { SecretBytes(copying: $0 ?? Data()) }
            fields.append(Payload.Field(name: row[0], value: value))
        }
        // What was accepted once is not measured against today's limit.
        return try Payload(fields, maximumBytes: Int.max)
    }

    func description(at now: Timestamp, in db: Database) throws -> SecretDescription {
        SecretDescription(
            path: path, currentVersion: current, createdAt: createdAt, updatedAt: updatedAt, metadata: metadata,
            versions: try versions(at: now, in: db))
    }
}

extension VersionInfo {
    /// A row of number, etag, created_at, deletes_at and destroyed, seen at a point in time.
    fileprivate init(_ row: Row, at now: Timestamp) {
        let deletesAt = (row[3] as Int64?).map { Timestamp(microseconds: $0) }
        let state: State
        if row[4] {
            state = .destroyed
        } else if let deletesAt, deletesAt <= now {
            state = .deleted
        } else {
            state = .available
        }
        self.init(
            number: row[0], etag: ETag(row[1]), createdAt: Timestamp(microseconds: row[2]), state: state,
            deletesAt: deletesAt)
    }
}
