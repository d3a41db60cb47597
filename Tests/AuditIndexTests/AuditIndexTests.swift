import Foundation
import GRDB
import PosternAudit
import PosternAuditIndex
import PosternProtocol
import Testing

@Suite(.timeLimit(.minutes(5))) struct `The index over the audit log` {
    static let queries: [AuditQuery] = [
        AuditQuery { _ in },
        AuditQuery { $0.who = "service-1" },
        AuditQuery { $0.who = "nobody" },
        AuditQuery { $0.what = "secret.read" },
        AuditQuery { $0.what = "secret.*" },
        AuditQuery { $0.what = "*" },
        AuditQuery { $0.path = "llm/a" },
        AuditQuery { $0.path = "llm/**" },
        AuditQuery { $0.path = "llm" },
        AuditQuery { $0.outcome = "permission_denied" },
        AuditQuery { $0.from = Timestamp(microseconds: start + 100 * minute) },
        AuditQuery { $0.to = Timestamp(microseconds: start + 100 * minute) },
        AuditQuery {
            ($0.who, $0.path, $0.what, $0.outcome) = ("service-2", "llm/**", "secret.*", "ok")
            ($0.from, $0.to) = (
                Timestamp(microseconds: start + 40 * minute), Timestamp(microseconds: start + 400 * minute)
            )
        },
        AuditQuery { ($0.who, $0.path) = ("service-0", "db/main") },
    ]

    @Test(arguments: queries) func `finds what the query says, all of it and nothing else, newest first`(
        query: AuditQuery
    ) async throws {
        let all = records(700)
        let log = try SearchedLog()
        try await log.append(all)
        let index = try log.index()
        #expect(try index.catchUp() == all.count)
        let wanted = all.enumerated().filter { query.wants($0.element) }.map { UInt64($0.offset) }
        let (found, findings) = try index.records(query)
        #expect(findings.indexes == wanted.reversed())
        #expect(findings.next == nil)
        #expect(findings.end == UInt64(all.count))
        #expect(try found.map { try AuditRecord(json: $0.json) } == wanted.reversed().map { all[Int($0)] })
        #expect(found.map(\.index) == findings.indexes)
    }

    @Test(arguments: [1, 7, 100]) func `pages add up to the whole, though records have one time`(limit: Int)
        async throws
    {
        var all = records(300)
        for number in all.indices { all[number].time = Timestamp(microseconds: start + Int64(number / 50) * minute) }
        let log = try SearchedLog()
        try await log.append(all)
        let index = try log.index()
        try index.catchUp()
        var query = AuditQuery { $0.who = "service-1" }
        let whole = try index.find(query).indexes
        query.limit = limit
        var found: [UInt64] = []
        while true {
            let page = try index.find(query)
            #expect(page.indexes.count <= limit)
            found += page.indexes
            guard let next = page.next else { break }
            query.after = AuditQuery.Place(next.text)
            #expect(query.after == next)
        }
        #expect(found == whole)
        #expect(whole.count == all.count { $0.actor.principal == "service-1" })
    }

    @Test func `goes on where it was, also when another program has gone on meanwhile`() async throws {
        let log = try SearchedLog()
        let all = records(600)
        try await log.append(Array(all.prefix(250)))
        let (first, second) = (try log.index(), try log.index())
        #expect(try first.catchUp() == 250)
        #expect(try second.catchUp() == 0)
        try await log.append(Array(all.dropFirst(250)))
        #expect(try second.catchUp(atMost: 100) == 100)
        #expect(try second.end() == 350)
        #expect(try first.catchUp() == 250)
        #expect(try second.find(AuditQuery { _ in }).indexes.count == 600)
    }

    @Test(arguments: [60, 20]) func `of another log, or one that was rolled back, begins anew`(count: Int) async throws
    {
        let (log, other) = (try SearchedLog(), try SearchedLog())
        try await log.append(records(50))
        try log.index().catchUp()
        try await other.append(records(count, reason: "another past"))
        // The other log is put into the place of the first, as from a backup.
        let file = URL(filePath: log.directory + "/" + AuditIndex.fileName)
        try FileManager.default.moveItem(at: file, to: URL(filePath: other.directory + "/" + AuditIndex.fileName))
        let index = try other.index()
        #expect(try index.catchUp() == count)
        #expect(try index.find(AuditQuery { _ in }).indexes.count == count)
    }

    @Test(arguments: ["garbage", ""]) func `is made anew where its file is damaged`(content: String) async throws {
        let log = try SearchedLog()
        try await log.append(records(30))
        let file = log.directory + "/" + AuditIndex.fileName
        try Data(String(repeating: content, count: 1_000).utf8).write(to: URL(filePath: file))
        let index = try log.index()
        #expect(try index.catchUp() == 30)
        #expect(try index.find(AuditQuery { $0.outcome = "ok" }).indexes.count == 27)
    }

    @Test func `is for the log's owner alone`() async throws {
        let log = try SearchedLog()
        try await log.append(records(30))
        let index = try log.index()
        try index.catchUp()
        for name in try FileManager.default.contentsOfDirectory(atPath: log.directory)
        where name.hasPrefix(AuditIndex.fileName) {
            let mode = try FileManager.default.attributesOfItem(atPath: log.directory + "/" + name)[.posixPermissions]
            #expect(mode as? Int == 0o600, "\(name)")
        }
        try index.close()
    }

    @Test func `that cannot be made says so, and what to do`() throws {
        let error = #expect(throws: SecretError.self) { try AuditIndex(directory: "/nonexistent/audit") }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("Name another file") == true)
    }

    @Test(arguments: ["", "1", "1-", "-1", "1-2-3", "a-b", "1--2", "-1-2", "1-9223372036854775808"])
    func `what is no place is not taken for one`(text: String) {
        #expect(AuditQuery.Place(text) == nil)
    }
}
