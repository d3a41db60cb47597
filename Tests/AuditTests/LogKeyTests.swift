import Foundation
import PosternAudit
import PosternProtocol
import Testing
import TransparencyLog

@Suite struct LogKeyTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func code(_ options: AuditLog.Options = .small) -> AuditLogError.Code? {
        #expect(throws: AuditLogError.self) { try AuditLog.open(directory: directory.log, options: options) }?.code
    }

    @Test func `the key is made once, nobody else can read it, and Go's note package would`() async throws {
        try await directory.fill(1)
        let text = String(decoding: try directory.read("signing.key"), as: UTF8.self)
        let key = try Ed25519Signer(encoded: text.dropLast())
        #expect(text.last == "\n")
        #expect(try directory.verifierKey() == key.verifierKey)
        let mode = try FileManager.default.attributesOfItem(atPath: directory.log + "/signing.key")[.posixPermissions]
        #expect(mode as? Int == 0o600)
        try await directory.fill(1)
        #expect(String(decoding: try directory.read("signing.key"), as: UTF8.self) == text)
    }

    @Test func `a log keeps its origin, and says so when another is configured`() async throws {
        var options = AuditLog.Options.small
        options.origin = "log.example/a"
        try await directory.fill(1, options: options)
        #expect(try directory.checkpoint().origin == "log.example/a")
        try await directory.fill(1)
        #expect(try directory.checkpoint().origin == "log.example/a")
        options.origin = "log.example/b"
        #expect(code(options) == .invalidOption)
        options.origin = "no + and no space"
        #expect(code(options) == .invalidOption)
    }

    @Test func `a key that is missing, open to others, broken or another's is refused`() async throws {
        try await directory.fill(3)
        let path = directory.log + "/signing.key"
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(code() == .signingKey)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let good = try directory.read("signing.key")
        try directory.write("signing.key", good.reversed())
        #expect(code() == .signingKey)
        try directory.write("signing.key", Array((try Ed25519Signer(name: "other").encoded + "\n").utf8))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(code() == .signingKey)
        try FileManager.default.removeItem(atPath: path)
        #expect(code() == .signingKey)
        try directory.write("signing.key", good)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try await directory.fill(1)
        #expect(try directory.verify().size == 4)
    }

    @Test func `each key hands over to the next, and whoever trusts one trusts those after it`() async throws {
        var keys: [VerifierKey] = []
        for round in 0..<3 {
            try await directory.fill(100, prefix: "\(round)")
            if round == 0 { keys.append(try directory.verifierKey()) }
            let log = try AuditLog.open(directory: directory.log, options: .small)
            keys.append(
                try await log.rotateKey(at: Timestamp(seconds: 1_795_507_200), deadline: .after(.seconds(120))))
            try await log.published(covering: try await log.append(record("after")), deadline: .after(.seconds(120)))
            log.close()
        }
        #expect(Set(keys).count == 4)
        #expect(try LogProver(directory: directory.log).keys() == keys)
        for key in keys {
            let report = try directory.verify { $0.keys = [key] }
            #expect(report.isKeyGiven && report.keys.last == keys.last)
        }
        let stranger = try Ed25519Signer(name: "stranger").verifierKey
        #expect(try directory.problem { $0.keys = [stranger] }.kind == .key)
        // The records say which key came after which.
        let records = try allEntries(directory.log).map { String(decoding: $0.json, as: UTF8.self) }
        for (old, new) in zip(keys, keys.dropFirst()) {
            #expect(
                records.contains {
                    $0.contains("audit.rotate_key") && $0.contains(old.description) && $0.contains(new.description)
                })
        }
    }

    @Test func `a rotation that a crash cut short is finished or forgotten at the next opening`() async throws {
        try await directory.fill(10)
        let old = try directory.read("signing.key")
        // Before the old key had handed over.
        try directory.write("signing.key.next", Array((try Ed25519Signer(name: "forgotten").encoded + "\n").utf8))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: directory.log + "/signing.key.next")
        try await directory.fill(10)
        #expect(try directory.read("signing.key") == old)

        let log = try AuditLog.open(directory: directory.log, options: .small)
        _ = try await log.rotateKey(at: Timestamp(seconds: 1), deadline: .after(.seconds(120)))
        log.close()
        let new = try directory.read("signing.key")
        #expect(new != old)
        // After it had, and before the new key was in its place.
        try directory.write("signing.key", old)
        try directory.write("signing.key.next", new)
        for name in ["signing.key", "signing.key.next"] {
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: directory.log + "/" + name)
        }
        try await directory.fill(10)
        #expect(try directory.read("signing.key") == new)
        #expect(try directory.verify().size == 31)
    }

    @Test func `old records are removed on record, by whole bundles, and everything else still verifies`() async throws
    {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        for day in 0..<12 {
            var old = record("day-\(day)", reason: String(repeating: "x", count: 2_000))
            old.time = Timestamp(seconds: 1_795_507_200 + Int64(day) * 86_400)
            for _ in 0..<5 { _ = try await log.append(contentsOf: [AuditRecord](repeating: old, count: 40)) }
        }
        try await log.published(covering: log.nextIndex - 1, deadline: .after(.seconds(120)))
        let before = try directory.read("log/checkpoint")
        let cutoff = Timestamp(seconds: 1_795_507_200 + 6 * 86_400)
        try await eventually("segments stay") { try directory.segments()[0] > "00000000000000001024" }
        let minimum = try await log.prune(before: cutoff, at: cutoff, deadline: .after(.seconds(120)))
        // 1,200 records are older, which is four bundles and a part of the fifth.
        #expect(minimum == 1_024)
        #expect(try await log.prune(before: cutoff, at: cutoff, deadline: .after(.seconds(120))) == nil)
        log.close()

        let report = try directory.verify { $0.kept = [LogVerifier.Kept(name: "before", bytes: before)] }
        #expect(report.minimumIndex == 1_024 && report.size == 2_401 && report.records == 2_401 - 1_024)
        #expect(try !directory.publishedFiles().contains("tile/entries/003"))
        #expect(try directory.publishedFiles().contains("tile/0/003"))
        #expect(try allEntries(directory.log).map(\.index) == (1_024..<2_401).map { $0 })
        #expect(throws: LogProblem.self) { try LogProver(directory: directory.log).receipt(for: 5) }
        #expect(try LogProver(directory: directory.log).receipt(for: 1_024).proof.index == 1_024)

        // One bundle more than the record allows is one too many.
        try directory.with("log/tile/entries/004", changed: { _ in nil }) {
            let problem = try directory.problem()
            #expect(problem.kind == .record && problem.index == 1_024)
        }
        // And without the record, all of them are.
        try directory.with("log/pruned.tlog-proof", changed: { _ in nil }) {
            let problem = try directory.problem()
            #expect(problem.kind == .record && problem.index == 0)
        }
        try directory.with("log/pruned.tlog-proof", changed: { $0.map { $0 == UInt8(ascii: "4") ? 0x35 : $0 } }) {
            let problem = try directory.problem()
            #expect(problem.kind == .receipt)
        }
    }
}
