// Taking over a secret's history from another store, exactly as it was there.

import Foundation
import GRDB
public import PosternProtocol

extension SQLiteBackend: HistoryTransferring {
    /// The payload of a version that is kept, whether or not it is soft-deleted.
    public func recall(_ path: SecretPath, version: Int, deadline: Deadline) async throws(SecretError) -> Payload {
        let clock = clock
        return try await reading("recalling version \(version) of \(path)", deadline) { db in
            let secret = try SecretRow.need(path, in: db)
            let info = try secret.version(version, at: clock.now(), in: db)
            guard info.state != .destroyed else { throw SecretError.versionDestroyed(path, version: version) }
            return try secret.payload(version, in: db)
        }
    }

    /// Makes a secret as another store describes it, ``SecretDescription/updatedAt`` too.
    ///
    /// Each version is a transaction, so that only one payload is in memory at a time; the last one sets what is left.
    public func restore(
        _ history: SecretDescription, onDivergence divergence: HistoryDivergence,
        payload: @Sendable (Int) async throws(SecretError) -> Payload, deadline: Deadline
    ) async throws(SecretError) -> [Int] {
        let there = try await beginning(of: history, divergence, deadline: deadline)
        var written: [Int] = []
        for version in history.versions where version.number > there {
            let payload = version.state == .destroyed ? nil : try await payload(version.number)
            try await add(version, payload, to: history, deadline: deadline)
            if payload != nil { written.append(version.number) }
        }
        try await finish(history, deadline: deadline)
        return written
    }

    /// Makes sure that what is there is the beginning of the history, or nothing.
    /// - Returns: the current version, 0 for none.
    private func beginning(
        of history: SecretDescription, _ divergence: HistoryDivergence, deadline: Deadline
    ) async throws(SecretError) -> Int {
        let (clock, path) = (clock, history.path)
        let found = try await reading("looking at \(path)", deadline) { db in
            try SecretRow.find(path, in: db)?.description(at: clock.now(), in: db)
        }
        guard let found else { return 0 }
        if found.isBeginning(of: history) { return found.currentVersion }
        guard divergence == .replace else { throw .anotherPast(path, current: found.currentVersion) }
        do {
            try await remove(path, deadline: deadline)
        } catch  where error.code == .notFound {
            // Gone by itself.
        }
        return 0
    }

    private func add(
        _ version: VersionInfo, _ payload: Payload?, to history: SecretDescription, deadline: Deadline
    ) async throws(SecretError) {
        let path = history.path
        try await writing("restoring version \(version.number) of \(path)", deadline) { db in
            let secret =
                try SecretRow.find(path, in: db) ?? Self.create(path, at: history.createdAt, in: db)
            guard secret.current < version.number else {
                throw SecretError.conflict(path, expected: version.number - 1, current: secret.current)
            }
            try db.run("UPDATE secret SET current = ? WHERE id = ?", [version.number, secret.id])
            try db.run(
                "INSERT INTO version (secret, number, etag, created_at, deletes_at, destroyed) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    secret.id, version.number, Self.newETag().text, version.createdAt.microseconds,
                    version.deletesAt?.microseconds, payload == nil,
                ])
            if let payload { try Self.insert(payload, into: secret, version: version.number, in: db) }
        }
    }

    /// Sets what is not a version's content: states, dates, settings, labels.
    private func finish(_ history: SecretDescription, deadline: Deadline) async throws(SecretError) {
        let (clock, path) = (clock, history.path)
        let erases = history.versions.contains { $0.state == .destroyed }
        try await writing("restoring \(path)", deadline, erasing: erases) { db in
            let secret = try SecretRow.find(path, in: db) ?? Self.create(path, at: history.createdAt, in: db)
            let there = try secret.description(at: clock.now(), in: db)
            let metadata = history.metadata
            let labels = String(decoding: try JSONEncoder().encode(metadata.labels), as: UTF8.self)
            try db.run(
                """
                UPDATE secret SET current = ?, max_versions = ?, delete_after = ?, cas_required = ?, labels = ?,
                    created_at = ?, updated_at = ?
                WHERE id = ?
                """,
                [
                    history.currentVersion, metadata.maxVersions, metadata.deleteVersionAfterSeconds,
                    metadata.casRequired, labels, history.createdAt.microseconds, history.updatedAt.microseconds,
                    secret.id,
                ])
            let oldest = history.versions.first?.number ?? history.currentVersion + 1
            try db.run("DELETE FROM version WHERE secret = ? AND number < ?", [secret.id, oldest])
            let states = Dictionary(
                there.versions.map { ($0.number, $0.state) }, uniquingKeysWith: { first, _ in first })
            for version in history.versions {
                try db.run(
                    "UPDATE version SET deletes_at = ? WHERE secret = ? AND number = ?",
                    [version.deletesAt?.microseconds, secret.id, version.number])
                guard version.state == .destroyed, states[version.number] != .destroyed else { continue }
                try db.run(
                    "UPDATE version SET destroyed = 1 WHERE secret = ? AND number = ?", [secret.id, version.number])
                try db.run("DELETE FROM field WHERE secret = ? AND version = ?", [secret.id, version.number])
            }
        }
    }
}
