// Finds records, a page at a time, newest first.

import GRDB
public import PosternAudit
public import PosternProtocol

extension AuditIndex {
    /// Finds the indexes of records. Looks only at what is in the index: see ``catchUp(atMost:progress:)``.
    /// - Throws: `invalid_argument` for a limit below 1; `backend_unavailable`.
    public func find(_ query: AuditQuery) throws(SecretError) -> AuditFindings {
        guard query.limit >= 1 else { throw SecretError(.invalidArgument, "A page has at least 1 record.") }
        do {
            return try database.read { db in
                let end = try Int64.fetchOne(db, sql: "SELECT next FROM log") ?? 0
                guard let statement = try Statement(query, in: db) else {
                    return AuditFindings(indexes: [], next: nil, end: UInt64(end))
                }
                let rows = try Row.fetchAll(db, sql: statement.sql, arguments: statement.arguments)
                let page = rows.prefix(query.limit)
                let places = page.map { UInt64($0["place"] as Int64) }
                var next: AuditQuery.Place?
                if rows.count > query.limit, let last = page.last, let index = places.last {
                    next = AuditQuery.Place(microseconds: last["time"], index: index)
                }
                return AuditFindings(indexes: places, next: next, end: UInt64(end))
            }
        } catch {
            throw Self.translated(error, "searching the query index")
        }
    }

    /// Finds records, and reads them from the log. Those that were pruned are left out.
    public func records(_ query: AuditQuery) throws(SecretError) -> (
        records: [AuditLogReader.Entry], findings: AuditFindings
    ) {
        let findings = try find(query)
        do throws(AuditLogError) {
            return (try reader.entries(at: findings.indexes), findings)
        } catch {
            throw Self.translated(error, "reading the audit log")
        }
    }

    /// A query in SQL.
    private struct Statement {
        var sql: String
        var arguments: StatementArguments

        /// Nil where a text is asked for that no record has.
        init?(_ query: AuditQuery, in db: Database) throws {
            var conditions: [String] = []
            var arguments = StatementArguments()
            // What is equal to one number comes in order of time from the index that begins with it; the most telling one
            // is named, since SQLite cannot know which that is.
            var index: String?
            func equal(_ column: String, _ text: String) throws -> Bool {
                guard let number = try Self.number(text, in: db) else { return false }
                conditions.append("\(column) = ?")
                arguments += [number]
                if index == nil { index = "record_\(column)" }
                return true
            }
            func begins(_ column: String, with prefix: String) {
                // Every text that begins with it sorts before it with its last byte one higher.
                conditions.append("\(column) IN (SELECT id FROM word WHERE text >= ? AND text < ?)")
                var upper = Array(prefix.unicodeScalars)
                if let last = upper.popLast(), let higher = Unicode.Scalar(last.value + 1) { upper.append(higher) }
                var after = String.UnicodeScalarView()
                after.append(contentsOf: upper)
                arguments += [prefix, String(after)]
            }
            if let path = query.path, !path.hasSuffix("/**") {
                guard try equal("path", path) else { return nil }
            }
            if let who = query.who {
                guard try equal("who", who) else { return nil }
            }
            if let what = query.what, !what.hasSuffix("*") {
                guard try equal("what", what) else { return nil }
            }
            if let outcome = query.outcome {
                guard try equal("outcome", outcome) else { return nil }
            }
            if let path = query.path, path.hasSuffix("/**") { begins("path", with: String(path.dropLast(2))) }
            if let what = query.what, what.hasSuffix("*"), what != "*" { begins("what", with: String(what.dropLast())) }
            if let from = query.from {
                conditions.append("time >= ?")
                arguments += [from.microseconds]
            }
            if let to = query.to {
                conditions.append("time < ?")
                arguments += [to.microseconds]
            }
            if let after = query.after {
                conditions.append("(time, place) < (?, ?)")
                arguments += [after.microseconds, Int64(after.index)]
            }
            let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
            arguments += [query.limit + 1]
            sql =
                "SELECT place, time FROM record INDEXED BY \(index ?? "record_time")\(condition) "
                + "ORDER BY time DESC, place DESC LIMIT ?"
            self.arguments = arguments
        }

        private static func number(_ text: String, in db: Database) throws -> Int64? {
            try Int64.fetchOne(db, sql: "SELECT id FROM word WHERE text = ?", arguments: [text])
        }
    }
}
