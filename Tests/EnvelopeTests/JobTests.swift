import BackendConformance
import Foundation
import LocalKey
import PosternProtocol
import SQLiteDev
import Testing

@testable import Envelope

@Suite struct `Jobs on keys` {
    private let gateways = KeyGateways()
    private let wrapper = TestKeyWrapper("hsm:1")

    @Test func `a short one does not wait behind one that waits`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        let slow = try await gateway.start(
            KeyJobOrder(.rewrap, scope: "a"), by: "alice", deadline: soon)
        wrapper.hold()
        async let first = gateway.workOnJobs(as: "one")
        try await eventually("the first is under way") { wrapper.held > 0 }
        let quick = try await gateway.start(KeyJobOrder(.references), by: "alice", deadline: soon)
        #expect(try await gateway.workOnJobs(as: "one").map(\.id) == [quick.id])
        wrapper.release()
        #expect(try await first.map(\.id) == [slow.id])
    }

    @Test func `those that ended are listed newest first, and the oldest are let go`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        var ids: [String] = []
        for _ in 0..<60 {
            gateways.clock.advance(by: .seconds(1))
            ids.append(try await gateway.finish(KeyJobOrder(.references)).id)
        }
        let kept = try await gateway.jobs(deadline: soon).map(\.id)
        #expect(kept == Array(ids.reversed().prefix(kept.count)))
        #expect(kept.count == 51)
    }

    @Test func `wait while a key-encryption key is out, say so, and go on after it`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        let job = try await gateway.start(KeyJobOrder(.rewrap), by: "alice", deadline: soon)
        wrapper.goDown()
        #expect(try await gateway.workOnJobs(as: "one").isEmpty)
        let waiting = try #require(try await gateway.jobs(deadline: soon).first)
        #expect(waiting.state == .running)
        #expect(waiting.waitingFor?.contains("does not answer") == true)
        wrapper.comeBack()
        #expect(try await gateway.workOnJobs(as: "one").isEmpty, "not before its time")
        gateways.clock.advance(by: .seconds(6))
        let ended = try await gateway.workOnJobs(as: "one")
        #expect(ended.map(\.id) == [job.id])
        #expect(ended.first?.waitingFor == nil)
    }

    @Test func `one that is cancelled lets go at once, and another gateway goes on where it was`() async throws {
        let gateway = try gateways.gateway([wrapper])
        for index in 0..<10 { try await gateway.put("a/s\(index)", "v") }
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        let job = try await gateway.start(KeyJobOrder(.reencrypt, rate: 1), by: "alice", deadline: soon)
        let worker = Task { try await gateway.workOnJobs(as: "one") }
        try await eventually("the first secret is moved") { try await gateway.keyVersion("a/s0") == 2 }
        worker.cancel()
        _ = try? await worker.value
        let stopped = try #require(try await gateway.jobStore.read(job.id, deadline: soon)).value
        #expect(stopped.lease == nil)
        #expect(stopped.job.seen >= 1 && stopped.job.seen < 10)
        #expect(stopped.cursor == "a/s\(stopped.job.seen - 1)")
    }

    @Test func `on a SQLite file under a key file everything moves, and opens after the file is opened anew`()
        async throws
    {
        let folder = NSTemporaryDirectory() + "envelope-keys-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let wrapper = try LocalFileKeyWrapper(path: folder + "/kek", createIfMissing: true)
        let store = try await SQLiteBackend.open(path: folder + "/secrets.sqlite")
        var options = EnvelopeOptions.patient
        options.jobRate = 0
        let gateway = try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: options)
        for index in 0..<30 { try await gateway.put("a/s\(index)", "v\(index)") }
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        let job = try await gateway.finish(KeyJobOrder(.reencrypt, destroyOld: true))
        #expect((job.changed, job.destroyedVersions) == (30, 30))
        try await store.close()
        let again = try await SQLiteBackend.open(path: folder + "/secrets.sqlite")
        let fresh = try EnvelopeBackend(store: again, keyWrappers: [wrapper], options: options)
        for index in 0..<30 { #expect(try await fresh.get("a/s\(index)") == "v\(index)") }
        #expect(
            try await fresh.finish(KeyJobOrder(.references)).references
                == [KeyJob.Reference(domain: "a", version: 2, count: 30, possible: 0)])
        try await again.close()
    }
}
