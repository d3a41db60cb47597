import BackendConformance
import Foundation
import PosternProtocol
import Synchronization
import Testing

@testable import Envelope

/// Gateways on one store, each with its own keys in memory.
struct KeyGateways {
    let clock = ManualClock()
    let store: InMemoryBackend

    init() { store = InMemoryBackend(clock: clock) }

    func gateway(
        _ wrappers: [any KeyWrapper], over other: (any SecretBackend)? = nil,
        _ change: (inout EnvelopeOptions) -> Void = { _ in }
    ) throws -> EnvelopeBackend {
        var options = EnvelopeOptions.patient
        options.jobRate = 0
        change(&options)
        return try EnvelopeBackend(store: other ?? store, keyWrappers: wrappers, options: options, clock: clock)
    }
}

extension EnvelopeBackend {
    /// Orders a job and works until it has ended.
    @discardableResult
    func finish(_ order: KeyJobOrder, as owner: String = "one") async throws -> KeyJob {
        let job = try await start(order, by: "alice", deadline: soon)
        var ended = try await workOnJobs(as: owner)
        while !ended.contains(where: { $0.id == job.id }) { ended = try await workOnJobs(as: owner) }
        return try #require(ended.first { $0.id == job.id })
    }

    /// The version of the domain key that a secret's version is under.
    func keyVersion(_ path: String, _ version: Int? = nil) async throws -> Int {
        Int(try keyName(of: try await store.read(SecretPath(path), version: version, deadline: soon)).version)
    }

    func domain(_ name: String) async throws -> KeyRegister.Domain {
        try #require(try await register(deadline: soon).domains.first { $0.name == name })
    }
}

@Suite struct `Rotating domain keys` {
    private let gateways = KeyGateways()
    private let wrapper = TestKeyWrapper("hsm:1")

    @Test func `what is written afterwards is under the new version, and what was before is still read`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "old")
        let domain = try await gateway.rotate("a", dryRun: false, deadline: soon)
        #expect(domain.current == 2)
        #expect(domain.keys.map(\.state) == [.superseded, .active])
        try await gateway.put("a/y", "new")
        #expect(try await gateway.keyVersion("a/x") == 1)
        #expect(try await gateway.keyVersion("a/y") == 2)
        for reader in [gateway, try gateways.gateway([wrapper])] {
            #expect(try await reader.get("a/x") == "old")
            #expect(try await reader.get("a/y") == "new")
        }
    }

    @Test func `another gateway reads at once, and writes under the new version once its copy is past its lifetime`()
        async throws
    {
        let (one, other) = (try gateways.gateway([wrapper]), try gateways.gateway([wrapper]))
        try await one.put("a/x", "1")
        try await other.put("a/x", "2")
        _ = try await one.rotate("a", dryRun: false, deadline: soon)
        try await one.put("a/x", "3")
        #expect(try await other.get("a/x") == "3")
        try await other.put("a/y", "before")
        #expect(try await other.keyVersion("a/y") == 1)
        gateways.clock.advance(by: .seconds(3_601))
        // The first write after it starts the renewal and does not wait for it.
        try await eventually("the other gateway writes under the new version") {
            try await other.put("a/z", "after")
            return try await other.keyVersion("a/z") == 2
        }
    }

    @Test func `gateways that rotate at once make one version each, and no key is lost`() async throws {
        let all = try (0..<4).map { _ in try gateways.gateway([wrapper]) }
        try await all[0].put("a/s", "v0")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, gateway) in all.enumerated() {
                group.addTask {
                    for round in 0..<5 {
                        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
                        try await gateway.put("a/s\(index)-\(round)", "v")
                    }
                }
            }
            try await group.waitForAll()
        }
        let domain = try await all[0].domain("a")
        #expect(domain.keys.map(\.version) == Array(1...21))
        #expect(domain.keys.count { $0.state == .active } == 1)
        let reader = try gateways.gateway([wrapper])
        for path in try await reader.list(ListQuery(recursive: true), deadline: soon).entries.map(\.key) {
            #expect(try await reader.get(path).hasPrefix("v"))
        }
    }

    @Test func `a key that a wrapper does not open again does not come into use`() async throws {
        let fickle = FickleWrapper()
        let gateway = try gateways.gateway([wrapper, fickle])
        try await gateway.put("a/x", "v")
        fickle.opens.withLock { $0 = false }
        await expectError(.keyUnavailable, containing: "does not open it again") {
            try await gateway.rotate("a", dryRun: false, deadline: soon)
        }
        #expect(try await gateway.domain("a").current == 1)
        try await gateway.put("a/y", "v")
    }

    @Test func `by schedule, one of several gateways rotates a key of that age, and the next date is in the register`()
        async throws
    {
        let all = try (0..<3).map { _ in
            try gateways.gateway([wrapper]) { $0.rotateAfter = .seconds(86_400) }
        }
        try await all[0].put("a/x", "v")
        let made = gateways.clock.now()
        #expect(try await all[0].domain("a").nextRotation == made.advanced(by: .seconds(86_400)))
        #expect(try await all[0].rotateIfDue("a", deadline: soon) == nil)
        gateways.clock.advance(by: .seconds(86_400))
        let rotated = try await withThrowingTaskGroup(of: Bool.self) { group in
            for gateway in all { group.addTask { try await gateway.rotateIfDue("a", deadline: soon) != nil } }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(rotated == 1)
        let domain = try await all[2].domain("a")
        #expect(domain.current == 2)
        #expect(domain.nextRotation == gateways.clock.now().advanced(by: .seconds(86_400)))
        for (index, gateway) in all.enumerated() {
            try await gateway.put("a/after\(index)", "v")
            #expect(
                try await gateway.keyVersion("a/after\(index)") == 2, "each gateway that looked has forgotten the old")
        }
    }

    @Test func `a dry run changes nothing`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        #expect(try await gateway.rotate("a", dryRun: true, deadline: soon).current == 2)
        #expect(try await gateway.domain("a").current == 1)
    }

    @Test(arguments: ["b", "a/x", "", ".postern", "no such"])
    func `a domain that has no key is not found or not a name`(name: String) async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        let error = await #expect(throws: SecretError.self) {
            try await gateway.rotate(name, dryRun: false, deadline: soon)
        }
        #expect(error?.code == .notFound || error?.code == .invalidArgument)
    }

    @Test func `domains with long names are in the register and are rotated`() async throws {
        let long = String(repeating: "d", count: 450)
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        try await gateway.put(long, "v")
        #expect(try await gateway.register(deadline: soon).domains.map(\.name) == ["a", long])
        #expect(try await gateway.rotate(long, dryRun: false, deadline: soon).current == 2)
        #expect(try await gateway.finish(KeyJobOrder(.rewrap)).total == 2)
    }
}

@Suite struct `Rewrapping domain keys` {
    private let gateways = KeyGateways()
    private let first = TestKeyWrapper("hsm:1")
    private let second = TestKeyWrapper("kms:2")

    @Test func `a second key added later opens everything after rewrap, alone`() async throws {
        try await gateways.gateway([first]).put("a/x", "v")
        let both = try gateways.gateway([first, second])
        try await both.put("b/x", "w")
        let job = try await both.finish(KeyJobOrder(.rewrap))
        #expect(job.state == .done)
        #expect(job.changed == 2)
        let alone = try gateways.gateway([second])
        #expect(try await alone.get("a/x") == "v")
        #expect(try await alone.get("b/x") == "w")
    }

    @Test func `costs domains and versions of their keys, not secrets`() async throws {
        let gateway = try gateways.gateway([first])
        for index in 0..<200 { try await gateway.put("a/s\(index)", "v") }
        let before = (first.wraps, first.unwraps)
        _ = try await gateway.finish(KeyJobOrder(.rewrap))
        #expect(first.wraps - before.0 == 1)
        #expect(first.unwraps - before.1 == 2, "one to open the key, one to prove the new wrap")
    }

    @Test func `wraps under a key that is not configured stay unless asked, and then older records go too`()
        async throws
    {
        try await gateways.gateway([first, second]).put("a/x", "v")
        let gateway = try gateways.gateway([second])
        _ = try await gateway.finish(KeyJobOrder(.rewrap))
        #expect(try await gateway.domain("a").keys[0].wraps.map(\.kek).sorted() == ["hsm:1", "kms:2"])
        _ = try await gateway.finish(KeyJobOrder(.rewrap, dropUnconfigured: true))
        #expect(try await gateway.domain("a").keys[0].wraps.map(\.kek) == ["kms:2"])
        let record = try await gateways.store.describe(keyringPath("a"), deadline: soon)
        #expect(record.versions.count { $0.state != .destroyed } == 1, "no older version holds the old wrap")
        let register = try await gateway.register(deadline: soon)
        let old = try #require(register.keks.first { $0.id == "hsm:1" })
        #expect(!old.configured && old.wraps == 0)
        #expect(old.retiredAt == gateways.clock.now())
        await expectError(.keyUnavailable) { try await gateways.gateway([first]).get("a/x") }
        #expect(try await gateways.gateway([second]).get("a/x") == "v")
    }

    @Test func `nothing is dropped where no configured key opens the domain key`() async throws {
        try await gateways.gateway([first]).put("a/x", "v")
        let stranger = try gateways.gateway([second]) { $0.jobRetry = .zero }
        let job = try await stranger.start(
            KeyJobOrder(.rewrap, dropUnconfigured: true), by: "alice", deadline: soon)
        #expect(try await stranger.workOnJobs(as: "one").isEmpty)
        let waiting = try #require(try await stranger.jobs(deadline: soon).first { $0.id == job.id })
        #expect(waiting.waitingFor?.contains("hsm:1") == true)
        #expect(try await gateways.gateway([first]).get("a/x") == "v")
    }

    @Test func `a lost key does not keep rewrap from healing what the other opens`() async throws {
        try await gateways.gateway([first, second]).put("a/x", "v")
        // The HSM was replaced: a key of the same name that opens nothing.
        let replaced = TestKeyWrapper("hsm:1")
        let gateway = try gateways.gateway([replaced, second])
        #expect(try await gateway.get("a/x") == "v")
        let before = try await gateway.verify(domain: nil, deadline: soon)
        #expect(before.keks.map(\.ok) == [false, true])
        _ = try await gateway.finish(KeyJobOrder(.rewrap))
        #expect(try await gateway.verify(domain: nil, deadline: soon).isGood)
        #expect(try await gateways.gateway([replaced]).get("a/x") == "v")
    }

    @Test func `a wrapper that can tell is asked for no new wrap of what is current`() async throws {
        let telling = FickleWrapper()
        let gateway = try gateways.gateway([telling])
        try await gateway.put("a/x", "v")
        #expect(try await gateway.finish(KeyJobOrder(.rewrap)).upToDate == 1)
        telling.isOld.withLock { $0 = true }
        #expect(try await gateway.finish(KeyJobOrder(.rewrap, dryRun: true)).changed == 1)
        #expect(try await gateway.finish(KeyJobOrder(.rewrap)).changed == 1)
        let kek = try #require(try await gateway.register(deadline: soon).keks.first)
        #expect(kek.rotatedAt == gateways.clock.now())
    }

    @Test func `while gateways rotate and rewrap at once every key stays readable`() async throws {
        let all = try (0..<3).map { _ in try gateways.gateway([first, second]) }
        for domain in ["a", "b"] { try await all[0].put("\(domain)/x", "v") }
        let keyring = all.map(\.keyring)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<3 {
                for domain in ["a", "b"] {
                    group.addTask {
                        for round in 0..<4 {
                            _ = try await keyring[index].rewrap(
                                domain, dropsUnconfigured: round == 2, isDryRun: false, deadline: soon)
                            _ = try await all[index].rotate(domain, dryRun: false, deadline: soon)
                            try await all[index].put("\(domain)/\(index)-\(round)", "v")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        for wrapper in [first, second] {
            let reader = try gateways.gateway([wrapper])
            let page = try await reader.list(ListQuery(recursive: true, limit: 1_000), deadline: soon)
            #expect(page.entries.count == 26)
            for entry in page.entries { #expect(try await reader.get(entry.key) == "v") }
        }
        #expect(try await all[0].verify(domain: nil, deadline: soon).isGood)
    }
}

@Suite struct `Verifying key-encryption keys` {
    private let gateways = KeyGateways()
    private let first = TestKeyWrapper("hsm:1")
    private let second = TestKeyWrapper("kms:2")

    @Test func `each that opens everything is good, and the register says when`() async throws {
        let gateway = try gateways.gateway([first, second])
        try await gateway.put("a/x", "v")
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        let report = try await gateway.verify(domain: nil, deadline: soon)
        #expect(report.isGood)
        #expect(report.keks.map(\.opened) == [2, 2])
        let register = try await gateway.register(deadline: soon)
        #expect(register.keks.allSatisfy { $0.verified == true && $0.verifiedAt == gateways.clock.now() })
        #expect(register.keks.allSatisfy { $0.configured && $0.wraps == 2 && $0.firstSeen != nil })
    }

    @Test func `a key far away is asked for several domains at a time, and for each once`() async throws {
        let count = 205
        let gateway = try gateways.gateway([first])
        for index in 0..<count { try await gateway.put("d\(index)/x", "v") }
        first.hold()
        async let report = gateway.verify(domain: nil, deadline: soon)
        try await eventually("several calls wait") { first.held == 8 }
        first.release()
        #expect(try await report.domains == count)
        #expect(try await report.keks == [KeyVerification.Result(kek: "hsm:1", opened: count)])
        #expect(first.unwraps == count)
    }

    @Test func `one that fails turns its result and a detail of health, and not the service`() async throws {
        let gateway = try gateways.gateway([first, second])
        try await gateway.put("a/x", "v")
        second.goDown()
        let report = try await gateway.verify(domain: nil, deadline: soon)
        #expect(report.keks.map(\.ok) == [true, false])
        #expect(report.keks[1].problem?.contains("domain a") == true)
        second.comeBack()
        let health = await gateway.health(deadline: soon)
        #expect(health.isReady)
        #expect(health.detail.contains("key kms:2 failed its last check"))
        #expect(try await gateway.verify(domain: nil, deadline: soon).isGood)
        #expect(await !gateway.health(deadline: soon).detail.contains("failed its last check"))
    }

    @Test func `one that opens to other bytes has failed`() async throws {
        let gateway = try gateways.gateway([first, second])
        try await gateway.put("a/x", "v")
        let lying = FickleWrapper(id: "kms:2", key: second)
        lying.lies.withLock { $0 = true }
        let report = try await gateways.gateway([first, lying]).verify(domain: "a", deadline: soon)
        #expect(report.keks.map(\.ok) == [true, false])
    }

    @Test func `what is not wrapped under a key is told apart from what it does not open`() async throws {
        try await gateways.gateway([first]).put("a/x", "v")
        let report = try await gateways.gateway([first, second]).verify(domain: nil, deadline: soon)
        #expect(report.keks.map(\.missing) == [0, 1])
        #expect(report.isGood)
    }
}
