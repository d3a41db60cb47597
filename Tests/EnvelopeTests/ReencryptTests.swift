import BackendConformance
import Foundation
import PosternProtocol
import Testing

@testable import Envelope

@Suite struct `Re-encrypting secrets` {
    private let gateways = KeyGateways()
    private let wrapper = TestKeyWrapper("hsm:1")

    /// A gateway whose domain `a` has this many secrets under an older key.
    private func rotated(_ count: Int, over other: (any SecretBackend)? = nil) async throws -> EnvelopeBackend {
        let gateway = try gateways.gateway([wrapper])
        for index in 0..<count { try await gateway.put("a/s\(index)", "v\(index)") }
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        return gateway
    }

    private func expectAllMoved(_ count: Int, _ gateway: EnvelopeBackend) async throws {
        for index in 0..<count {
            #expect(try await gateway.keyVersion("a/s\(index)") == 2, "s\(index)")
            #expect(try await gateway.get("a/s\(index)") == "v\(index)")
        }
    }

    @Test func `moves every secret of its scope, with its content and its labels, and no other`() async throws {
        let gateway = try await rotated(25)
        try await gateway.put("b/x", "v")
        _ = try await gateway.rotate("b", dryRun: false, deadline: soon)
        var change = MetadataChange()
        change.labels["owner"] = "ops"
        _ = try await gateway.updateMetadata(SecretPath("a/s3"), change, deadline: soon)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt, scope: "a"))
        #expect(job.state == .done)
        #expect((job.total, job.seen, job.changed, job.upToDate) == (25, 25, 25, 0))
        try await expectAllMoved(25, gateway)
        #expect(try await gateway.keyVersion("b/x") == 1)
        let labelled = try await gateway.read(SecretPath("a/s3"), version: nil, deadline: soon)
        #expect(labelled.labels == ["owner": "ops"])
        #expect(try await gateway.get("a/s3", 1) == "v3", "the older version stays")
        let again = try await gateway.finish(KeyJobOrder(.reencrypt))
        #expect((again.changed, again.upToDate) == (1, 25))
    }

    @Test func `a secret that is its own domain is in its scope`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("solo", "v")
        try await gateway.put("solo/below", "w")
        _ = try await gateway.rotate("solo", dryRun: false, deadline: soon)
        #expect(try await gateway.finish(KeyJobOrder(.reencrypt, scope: "solo")).changed == 2)
        #expect(try await gateway.keyVersion("solo") == 2)
    }

    @Test func `a dry run counts and writes nothing`() async throws {
        let gateway = try await rotated(5)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt, dryRun: true, destroyOld: true))
        #expect(job.changed == 5)
        #expect(try await gateway.keyVersion("a/s0") == 1)
        #expect(try await gateway.get("a/s0", 1) == "v0")
    }

    @Test func `passes over what is deleted and what expires by itself`() async throws {
        let gateway = try gateways.gateway([wrapper])
        for name in ["deleted", "destroyed", "expiring", "plain"] { try await gateway.put("a/\(name)", "v") }
        try await gateway.delete(SecretPath("a/deleted"), versions: [], deadline: soon)
        try await gateway.destroy(SecretPath("a/destroyed"), versions: [1], deadline: soon)
        _ = try await gateway.updateMetadata(
            SecretPath("a/expiring"), MetadataChange(deleteVersionAfterSeconds: 3_600), deadline: soon)
        try await gateway.put("a/expiring", "w")
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt))
        #expect((job.changed, job.skipped) == (1, 3))
        #expect(try await gateway.store.describe(SecretPath("a/deleted"), deadline: soon).currentVersion == 1)
    }

    @Test func `destroys older versions under older keys where asked, and then nothing names the old key`()
        async throws
    {
        let gateway = try gateways.gateway([wrapper])
        for _ in 0..<3 { try await gateway.put("a/x", "v") }
        try await gateway.delete(SecretPath("a/x"), versions: [2], deadline: soon)
        gateways.clock.advance(by: .seconds(600))
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt, destroyOld: true))
        #expect(job.destroyedVersions == 3)
        await expectError(.versionDestroyed) { try await gateway.get("a/x", 1) }
        #expect(try await gateway.get("a/x") == "v")
        let found = try await gateway.finish(KeyJobOrder(.references, scope: "a"))
        #expect(found.references == [KeyJob.Reference(domain: "a", version: 2, count: 1, possible: 0)])
    }

    @Test func `several gateways at once and writers meanwhile lose no write and move everything`() async throws {
        let count = 60
        let gateway = try await rotated(count)
        let others = try (0..<3).map { _ in try gateways.gateway([wrapper]) }
        _ = try await gateway.start(KeyJobOrder(.reencrypt, scope: "a"), by: "alice", deadline: soon)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, worker) in others.enumerated() {
                group.addTask { _ = try await worker.workOnJobs(as: "gateway\(index)") }
            }
            group.addTask {
                for index in stride(from: 0, to: count, by: 2) { try await gateway.put("a/s\(index)", "newer\(index)") }
            }
            try await group.waitForAll()
        }
        _ = try await gateway.workOnJobs(as: "last")
        #expect(try await gateway.jobs(deadline: soon).map(\.state) == [.done])
        for index in 0..<count {
            let expected = index.isMultiple(of: 2) ? "newer\(index)" : "v\(index)"
            #expect(try await gateway.get("a/s\(index)") == expected)
            #expect(try await gateway.keyVersion("a/s\(index)") == 2)
        }
    }

    @Test func `one of several gateways has a job, and another takes over when that one is silent`() async throws {
        let gateway = try await rotated(10)
        let job = try await gateway.start(KeyJobOrder(.reencrypt), by: "alice", deadline: soon)
        // As a gateway leaves it that was killed after four.
        let held = try #require(try await gateway.jobStore.read(job.id, deadline: soon))
        var record = held.value
        let order = try await gateway.list(ListQuery(recursive: true), deadline: soon).entries.map(\.key)
        record.job.total = 10
        record.job.seen = 4
        record.job.changed = 4
        record.cursor = order[3]
        record.lease = JobRecord.Lease(owner: "dead", expiresAt: gateways.clock.now().advanced(by: .seconds(30)))
        _ = try await gateway.jobStore.write(record, after: held.version, deadline: soon)

        #expect(try await gateway.workOnJobs(as: "alive").isEmpty, "it belongs to the other")
        gateways.clock.advance(by: .seconds(31))
        let ended = try await gateway.workOnJobs(as: "alive")
        #expect(ended.map(\.seen) == [10])
        #expect(try await gateway.keyVersion(order[3]) == 1, "what was gone over is not gone over again")
        #expect(try await gateway.keyVersion(order[4]) == 2)
    }

    @Test func `a store that fails now and then delays a job and harms nothing`() async throws {
        let count = 40
        let faulty = FaultInjectingBackend(gateways.store, percentage: 0, seed: 7)
        let gateway = try await rotated(count)
        let shaky = try gateways.gateway([wrapper], over: faulty) { $0.jobRetry = .zero }
        let job = try await gateway.start(KeyJobOrder(.reencrypt), by: "alice", deadline: soon)
        faulty.setPercentage(10)
        var state = KeyJob.State.running
        while state == .running {
            // The store may fail under the notes of the job itself; then it is taken up again later.
            _ = try? await shaky.workOnJobs(as: "shaky")
            state = try #require(try await gateway.jobs(deadline: soon).first { $0.id == job.id }).state
        }
        faulty.setPercentage(0)
        #expect(state == .done)
        try await expectAllMoved(count, gateway)
    }

    @Test func `a secret that does not open is a problem in words, and the others are moved`() async throws {
        let gateway = try await rotated(3)
        let bad = try await gateways.store.read(SecretPath("a/s1"), version: 1, deadline: soon)
        let bytes = try #require(bad.payload[EnvelopeHeader.fieldName]).bytes
        let changed = SecretBytes(copying: bytes.dropLast() + [bytes[bytes.count - 1] ^ 1])
        _ = try await gateways.store.write(
            SecretPath("a/s1"), Payload([.init(name: EnvelopeHeader.fieldName, value: changed)]), expecting: nil,
            deadline: soon)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt))
        #expect(job.state == .failed)
        #expect((job.changed, job.failed) == (2, 1))
        #expect(job.problems.first?.contains("a/s1") == true)
    }

    @Test func `a second job of the kind for the same scope is refused while the first is under way`() async throws {
        let gateway = try await rotated(1)
        _ = try await gateway.start(KeyJobOrder(.reencrypt, scope: "a"), by: "alice", deadline: soon)
        await expectError(.conflict, containing: "under way") {
            try await gateway.start(KeyJobOrder(.reencrypt, scope: "a/"), by: "alice", deadline: soon)
        }
    }
}

@Suite struct `Retiring domain keys` {
    private let gateways = KeyGateways()
    private let wrapper = TestKeyWrapper("hsm:1")

    @Test func `is refused while a version of a secret names the key, readable or soft-deleted`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        await expectError(.invalidArgument, containing: "current") {
            try await gateway.retire("a", version: 1, deadline: soon)
        }
        gateways.clock.advance(by: .seconds(600))
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        await expectError(.conflict, containing: "Other gateways may write") {
            try await gateway.retire("a", version: 1, deadline: soon)
        }
        gateways.clock.advance(by: .seconds(3_601))
        await expectError(.conflict, containing: "Nobody has looked") {
            try await gateway.retire("a", version: 1, deadline: soon)
        }
        try await gateway.finish(KeyJobOrder(.references, scope: "a"))
        await expectError(.conflict, containing: "1 versions of secrets") {
            try await gateway.retire("a", version: 1, deadline: soon)
        }
        // Moved, but the old version is kept.
        try await gateway.finish(KeyJobOrder(.reencrypt, scope: "a"))
        gateways.clock.advance(by: .seconds(1))
        try await gateway.finish(KeyJobOrder(.references))
        await expectError(.conflict) { try await gateway.retire("a", version: 1, deadline: soon) }
        // Soft-deleted it can come back.
        try await gateway.delete(SecretPath("a/x"), versions: [1], deadline: soon)
        gateways.clock.advance(by: .seconds(1))
        try await gateway.finish(KeyJobOrder(.references))
        await expectError(.conflict, containing: "1 soft-deleted") {
            try await gateway.retire("a", version: 1, deadline: soon)
        }
        try await gateway.destroy(SecretPath("a/x"), versions: [1], deadline: soon)
        gateways.clock.advance(by: .seconds(1))
        try await gateway.finish(KeyJobOrder(.references))
        let retired = try await gateway.retire("a", version: 1, deadline: soon)
        #expect(retired.keys.map(\.state) == [.retired, .active])
        #expect(retired.keys[0].retiredAt == gateways.clock.now())
        #expect(try await gateway.get("a/x") == "v")
    }
}
