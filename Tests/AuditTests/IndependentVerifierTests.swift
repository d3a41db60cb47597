// The log held against programs that share no code with it: Tests/AuditPeers, written from the specifications alone.

import Foundation
import PosternAudit
import TestPrograms
import Testing
import TransparencyLog

@Suite(.timeLimit(.minutes(10))) struct `A log and an auditor's own tools` {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func peer(_ name: String, _ arguments: [String]) async throws -> Finished {
        try await run(
            try Places.python(), [Places.package.appending(path: "Tests/AuditPeers/\(name).py").path] + arguments)
    }

    private func answer(_ done: Finished) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: done.output) as? [String: Any], "\(done.errors)")
    }

    @Test(arguments: [1, 2, 255, 256, 257, 600, 66_000])
    func `another verifier finds a log of any size whole, and its receipts good`(size: Int) async throws {
        try await directory.fill(size)
        let key = directory.published + "/keys/first.vkey"
        let done = try await peer("verify", [directory.published, "--vkey", key, "--json", "--format", "json"])
        #expect(done.code == 0, "\(done.text)\(done.errors)")
        let found = try answer(done)
        #expect(found["whole"] as? Bool == true)
        #expect(found["size"] as? Int == size)
        #expect(found["entries_checked"] as? Int == size)
        let root = try directory.checkpoint().root.bytes.map { String(format: "%02x", $0) }.joined()
        #expect(found["root"] as? String == root)

        for index in Set([0, size / 2, size - 1]) {
            let receipt = try LogProver(directory: directory.log).receipt(for: UInt64(index))
            try directory.write("receipt", receipt.bytes)
            let entry = try #require(
                try AuditLogReader(directory: directory.log).entries(at: [UInt64(index)]).first)
            try directory.write("entry", entry.json)
            let checked = try await peer(
                "receipt", [directory.log + "/receipt", "--vkey", key, "--entry", directory.log + "/entry"])
            #expect(checked.code == 0, "\(checked.text)\(checked.errors)")
        }
    }

    @Test func `whatever they know to tamper with is found, and the same record is named`() async throws {
        try await directory.fill(300)
        try directory.write("older", try directory.read("log/checkpoint"))
        try await directory.fill(400, prefix: "s")
        let (key, private_, newest) = (
            directory.published + "/keys/first.vkey", directory.log + "/signing.key", directory.log + "/newest"
        )
        try directory.write("newest", try directory.read("log/checkpoint"))
        let list = try await peer("tamper", ["list", "--format", "json"])
        let names = try list.text.split(separator: "\n").map {
            try #require((try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["name"] as? String)
        }
        #expect(names.count > 90)
        let copy = directory.path + "/copy"
        var tried = 0
        for name in names {
            try? FileManager.default.removeItem(atPath: copy)
            let done = try await peer(
                "tamper",
                [
                    "apply", directory.published, copy, name, "--key", private_, "--older", directory.log + "/older",
                ])
            // Where a log of this size has nothing to tamper with in this way.
            if done.code == 3 { continue }
            #expect(done.code == 0, "\(name): \(done.errors)")
            let what = try answer(done)
            let isOutsiders = what["outsider"] as? Bool == true
            var verifier = LogVerifier(directory: copy)
            verifier.keys = [try directory.verifierKey()]
            if !isOutsiders {
                let problem = #expect(throws: LogProblem.self, "\(name), by whoever kept nothing") {
                    try verifier.verify()
                }
                // Of a file that is too long or too short any place in it is right.
                let isResized = ["lengthen-", "shorten-", "append-"].contains { name.hasPrefix($0) }
                if what["exact"] as? Bool == true, !isResized, let index = what["index"] as? Int {
                    #expect(problem?.index == UInt64(index), "\(name): \(problem.map(\.description) ?? "")")
                }
            }
            verifier.kept = [LogVerifier.Kept(name: "newest", bytes: try directory.read("newest"))]
            #expect(throws: LogProblem.self, "\(name)") { try verifier.verify() }
            let theirs = try await peer("verify", [copy, "--vkey", key, "--checkpoint", newest])
            #expect(theirs.code != 0, "\(name): \(theirs.text)")
            tried += 1
        }
        #expect(tried > 80)
    }
}
