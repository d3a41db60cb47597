// Takes into the index what has come to the log.

import Crypto
import Foundation
import GRDB
import PosternAudit
public import PosternProtocol

extension AuditIndex {
    /// How many records are added in one transaction.
    private static let batchSize = 5_000

    /// How far the index goes: the index of the first record that is not in it.
    public func end() throws(SecretError) -> UInt64 {
        do {
            return try database.read { db in try Self.state(db).next }
        } catch {
            throw Self.translated(error, "reading the query index")
        }
    }

    /// Adds what is in the log and not in the index. Where the index turns out to be another log's, it begins anew.
    /// - Parameters:
    ///   - limit: the most records to add; nil for all.
    ///   - progress: told now and then how far the index goes, and how far the log.
    /// - Returns: how many records were added.
    /// - Throws: `audit_unavailable`, `integrity_failure` for the log; `backend_unavailable` for the index; `cancelled`.
    @discardableResult
    public func catchUp(
        atMost limit: Int? = nil, progress: (_ done: UInt64, _ end: UInt64) -> Void = { _, _ in }
    ) throws(SecretError) -> Int {
        do {
            try beginAnewUnlessSameLog()
            let start = try database.read { db in try Self.state(db).next }
            let end = try reader.endIndex()
            var added = 0
            var cursor = reader.entries(from: start)
            while added < limit ?? .max, !Task.isCancelled {
                var batch: [AuditLogReader.Entry] = []
                while batch.count < min(Self.batchSize, (limit ?? .max) - added), let entry = try cursor.next() {
                    batch.append(entry)
                }
                guard let last = batch.last else { break }
                try add(batch)
                added += batch.count
                progress(last.index + 1, max(end, last.index + 1))
            }
            return added
        } catch {
            throw Self.translated(error, "indexing the audit log")
        }
    }

    private static func state(_ db: Database) throws -> (next: UInt64, last: Data?) {
        guard let row = try Row.fetchOne(db, sql: "SELECT next, last FROM log") else { return (0, nil) }
        return (UInt64(row["next"] as Int64), row["last"])
    }

    /// A log that was restored from a backup, or another one, has another record at the place.
    private func beginAnewUnlessSameLog() throws {
        let state = try database.read { db in try Self.state(db) }
        guard state.next > 0 else { return }
        var cursor = reader.entries(from: state.next - 1)
        let entry = try cursor.next()
        if let entry, entry.index == state.next - 1, Self.digest(entry) == state.last { return }
        // Pruned records are passed over; then there is nothing to compare with, and no reason to doubt.
        if let entry, entry.index >= state.next { return }
        try database.write { db in try AuditIndexSchema.create(in: db) }
    }

    private static func digest(_ entry: AuditLogReader.Entry) -> Data { Data(SHA256.hash(data: entry.json)) }

    private func add(_ batch: [AuditLogReader.Entry]) throws {
        try database.write { db in
            // Another program may have been here meanwhile.
            let next = try Self.state(db).next
            var words = Words(db)
            let insert = try db.cachedStatement(
                sql: "INSERT INTO record (place, time, who, what, path, outcome) VALUES (?, ?, ?, ?, ?, ?)")
            for entry in batch where entry.index >= next {
                // What does not parse cannot be found, but the log has it.
                guard let record = try? AuditRecord(json: entry.json) else { continue }
                try insert.setArguments([
                    Int64(entry.index), record.time.microseconds, try words.number(record.actor.principal),
                    try words.number(record.action), try words.number(record.path), try words.number(record.outcome),
                ])
                try insert.execute()
            }
            if let last = batch.last, last.index >= next {
                try db.execute(
                    sql: "UPDATE log SET next = ?, last = ?", arguments: [Int64(last.index + 1), Self.digest(last)])
            }
        }
    }

    /// The numbers of texts, remembered for one batch.
    private struct Words {
        private let db: Database
        private var known: [String: Int64] = [:]

        init(_ db: Database) { self.db = db }

        mutating func number(_ text: String?) throws -> Int64? {
            guard let text else { return nil }
            if let number = known[text] { return number }
            let find = try db.cachedStatement(sql: "SELECT id FROM word WHERE text = ?")
            let number: Int64
            if let found = try Int64.fetchOne(find, arguments: [text]) {
                number = found
            } else {
                let insert = try db.cachedStatement(sql: "INSERT INTO word (text) VALUES (?)")
                try insert.execute(arguments: [text])
                number = db.lastInsertedRowID
            }
            known[text] = number
            return number
        }
    }
}
