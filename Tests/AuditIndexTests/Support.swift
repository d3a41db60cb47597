// Logs to search, and what is in them.

import Foundation
import PosternAudit
import PosternAuditIndex
import PosternProtocol
import TestPrograms
import Testing

/// A log of a test's own, with an index.
final class SearchedLog: Sendable {
    let folder: URL
    var directory: String { folder.appending(path: "audit").path }

    init() throws { folder = try makeTemporaryDirectory("audit-index") }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func index() throws -> AuditIndex { try AuditIndex(directory: directory) }

    /// Appends records.
    func append(_ records: [AuditRecord]) async throws {
        var options = AuditLog.Options(segmentBytes: AuditLog.Options.minimumSegmentBytes)
        options.publicationInterval = .milliseconds(5)
        let log = try AuditLog.open(directory: directory, options: options)
        defer { log.close() }
        for start in stride(from: 0, to: records.count, by: 500) {
            _ = try await log.append(contentsOf: Array(records[start..<min(start + 500, records.count)]))
        }
        try await eventually("all is published") { log.publication.size == log.nextIndex }
    }
}

/// A minute, in microseconds.
let minute: Int64 = 60_000_000
/// When the first record of a test is made.
let start: Int64 = 1_795_507_200_000_000

/// Records by some principals about some secrets, a minute apart.
func records(_ count: Int, reason: String? = nil) -> [AuditRecord] {
    (0..<count).map { number in
        let isDenied = number % 10 == 9
        return AuditRecord(
            time: Timestamp(microseconds: start + Int64(number) * minute), requestID: "r\(number)",
            actor: AuditRecord.Actor(
                principal: number % 7 == 6 ? nil : "service-\(number % 3)", authentication: "mtls"),
            action: ["secret.read", "secret.write", "policy.reload"][number % 5 / 2],
            path: number % 5 == 4 ? nil : ["llm/a", "llm/b/c", "llmx", "db/main"][number % 4],
            decision: isDenied ? .deny : .allow, outcome: isDenied ? "permission_denied" : "ok", reason: reason)
    }
}

extension AuditQuery {
    init(_ change: (inout AuditQuery) -> Void) {
        self.init()
        limit = 10_000
        change(&self)
    }

    /// Whether a record is wanted, as the query's documentation says.
    func wants(_ record: AuditRecord) -> Bool {
        if let who, record.actor.principal != who { return false }
        if let what {
            guard what.hasSuffix("*") ? record.action.hasPrefix(what.dropLast()) : record.action == what else {
                return false
            }
        }
        if let path {
            guard let its = record.path else { return false }
            guard path.hasSuffix("/**") ? its.hasPrefix(path.dropLast(2)) : its == path else { return false }
        }
        if let from, record.time < from { return false }
        if let to, record.time >= to { return false }
        return outcome == nil || record.outcome == outcome
    }
}
