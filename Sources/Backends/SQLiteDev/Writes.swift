// Writing, deleting, destroying, removing, and changing metadata.

import Foundation
import GRDB
public import PosternProtocol

extension SQLiteBackend {
    /// Writes a new version, and creates the secret with its first.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        let clock = clock
        return try await writing("writing \(path)", deadline) { db in
            let now = clock.now()
            let found = try SecretRow.find(path, in: db)
            let current = found?.current ?? 0
            if let expecting, expecting != current {
                throw SecretError.conflict(path, expected: expecting, current: current)
            }
            if expecting == nil, found?.metadata.casRequired == true {
                throw SecretError(
                    .invalidArgument, "\(path) requires that a write says which version it expects; read it first.")
            }
            let secret = try found ?? Self.create(path, at: now, in: db)
            let info = Self.newVersion(of: secret, at: now)
            try db.run(
                "UPDATE secret SET current = ?, updated_at = ? WHERE id = ?",
                [info.number, now.microseconds, secret.id])
            try db.run(
                "INSERT INTO version (secret, number, etag, created_at, deletes_at) VALUES (?, ?, ?, ?, ?)",
                [secret.id, info.number, info.etag.text, now.microseconds, info.deletesAt?.microseconds])
            try Self.insert(payload, into: secret, version: info.number, in: db)
            let oldestKept = info.number - secret.metadata.keptVersions + 1
            try db.run("DELETE FROM version WHERE secret = ? AND number < ?", [secret.id, oldestKept])
            return info
        }
    }

    /// Soft-deletes versions.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        let clock = clock
        try await writing("deleting versions of \(path)", deadline) { db in
            let now = clock.now()
            let secret = try SecretRow.need(path, in: db)
            for number in versions.isEmpty ? [secret.current] : versions {
                guard try secret.version(number, at: now, in: db).state == .available else { continue }
                try db.run(
                    "UPDATE version SET deletes_at = ? WHERE secret = ? AND number = ?",
                    [now.microseconds, secret.id, number])
            }
        }
    }

    /// Makes soft-deleted versions readable again.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try Self.needSome(versions, "undelete")
        let clock = clock
        try await writing("undeleting versions of \(path)", deadline) { db in
            let now = clock.now()
            let secret = try SecretRow.need(path, in: db)
            let found = try versions.map { try secret.version($0, at: now, in: db) }
            for version in found {
                switch version.state {
                case .available: continue
                case .destroyed: throw SecretError.versionDestroyed(path, version: version.number)
                case .deleted:
                    try db.run(
                        "UPDATE version SET deletes_at = NULL WHERE secret = ? AND number = ?",
                        [secret.id, version.number])
                }
            }
        }
    }

    /// Removes the data of versions for good.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try Self.needSome(versions, "destroy")
        let clock = clock
        try await writing("destroying versions of \(path)", deadline, erasing: true) { db in
            let secret = try SecretRow.need(path, in: db)
            for number in versions {
                _ = try secret.version(number, at: clock.now(), in: db)
                try db.run("UPDATE version SET destroyed = 1 WHERE secret = ? AND number = ?", [secret.id, number])
                try db.run("DELETE FROM field WHERE secret = ? AND version = ?", [secret.id, number])
            }
        }
    }

    /// Removes a secret with all its versions and metadata.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await writing("removing \(path)", deadline, erasing: true) { db in
            let secret = try SecretRow.need(path, in: db)
            try db.run("DELETE FROM secret WHERE id = ?", [secret.id])
        }
    }

    /// Changes a secret's settings and labels.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        let clock = clock
        return try await writing("changing the metadata of \(path)", deadline) { db in
            let now = clock.now()
            let secret = try SecretRow.need(path, in: db)
            let metadata = try change.applied(to: secret.metadata)
            let labels = String(decoding: try JSONEncoder().encode(metadata.labels), as: UTF8.self)
            try db.run(
                """
                UPDATE secret SET max_versions = ?, delete_after = ?, cas_required = ?, labels = ?, updated_at = ?
                WHERE id = ?
                """,
                [
                    metadata.maxVersions, metadata.deleteVersionAfterSeconds, metadata.casRequired, labels,
                    now.microseconds, secret.id,
                ])
            return try SecretRow.need(path, in: db).description(at: now, in: db)
        }
    }

    static func create(_ path: SecretPath, at now: Timestamp, in db: Database) throws -> SecretRow {
        try db.run(
            "INSERT INTO secret (path, current, created_at, updated_at) VALUES (?, 0, ?, ?)",
            [path.text, now.microseconds, now.microseconds])
        return SecretRow(
            id: db.lastInsertedRowID, path: path, current: 0, createdAt: now, updatedAt: now, metadata: SecretMetadata()
        )
    }

    private static func newVersion(of secret: SecretRow, at now: Timestamp) -> VersionInfo {
        let life = secret.metadata.deleteVersionAfterSeconds
        return VersionInfo(
            number: secret.current + 1, etag: newETag(), createdAt: now, state: .available,
            deletesAt: life == 0 ? nil : now.advanced(by: .seconds(life)))
    }

    /// An etag of 128 random bits, which in practice never repeat, in hexadecimal digits.
    static func newETag() -> ETag {
        let digits = String(UInt128.random(in: 0...UInt128.max), radix: 16)
        return ETag(String(repeating: "0", count: 32 - digits.count) + digits)
    }

    static func insert(_ payload: Payload, into secret: SecretRow, version: Int, in db: Database) throws {
        // Not a kept statement, which would keep a copy of the value. GRDB binds data without bytes as NULL, which is
        // not what an empty value is.
        let statement = try db.makeStatement(
            sql: "INSERT INTO field (secret, version, position, name, value) VALUES (?, ?, ?, ?, ifnull(?, x''))")
        for (position, field) in payload.fields.enumerated() {
            let value = field.value.withUnsafeBytes { Data($0) }
            try statement.execute(arguments: [secret.id, version, position, field.name, value])
        }
    }

    private static func needSome(_ versions: [Int], _ verb: String) throws(SecretError) {
        guard !versions.isEmpty else {
            throw SecretError(.invalidArgument, "Say which versions to \(verb); none was given.")
        }
    }
}

extension Database {
    /// Executes a statement that is compiled once and kept.
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
