import BackendConformance
import Envelope
import PosternProtocol
import Synchronization
import Testing

@Suite struct KeyLifetimeTests {
    private let clock = CountingClock()
    private let store = DishonestStore()
    private let wrapper = TestKeyWrapper()

    private func gateway(_ options: EnvelopeOptions = .patient) throws -> EnvelopeBackend {
        try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: options, clock: clock)
    }

    @Test func `a thousand reads at once cause one unwrap`() async throws {
        try await self.gateway().put("a/x", "v")
        let gateway = try gateway()
        wrapper.hold()
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<1_000 { group.addTask { try await gateway.get("a/x") } }
            try await eventually("the unwrap starts") { wrapper.held == 1 }
            // All have read the envelope and wait for the key, or will.
            try await eventually("all are under way") { store.reads(.ax) == 1_000 }
            wrapper.release()
            for try await value in group { #expect(value == "v") }
        }
        #expect(wrapper.unwraps == 1)
        #expect(try await gateway.get("a/x") == "v")
        #expect(wrapper.unwraps == 1)
    }

    @Test func `a thousand writes at once to a new domain make one key`() async throws {
        let gateway = try gateway()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<1_000 { group.addTask { try await gateway.put("a/s\(index)", "v") } }
            try await group.waitForAll()
        }
        #expect(wrapper.wraps == 1)
        #expect(try await gateway.get("a/s999") == "v")
        #expect(wrapper.unwraps == 0, "who made the key has it")
    }

    @Test func `every use of a key-encryption key is counted, failed ones apart`() async throws {
        func count(_ gateway: EnvelopeBackend, _ operation: KEKUse.Operation) throws -> [Int] {
            let use = try #require(gateway.keyUses.first { $0.operation == operation })
            #expect(use.kek == wrapper.descriptor.id)
            return [use.successes, use.failures]
        }
        let first = try gateway()
        for name in ["a/x", "a/y", "b/x"] { try await first.put(name, "v") }
        #expect(try count(first, .wrap) == [2, 0], "one for each domain")
        #expect(try count(first, .unwrap) == [0, 0])
        let second = try gateway()
        wrapper.goDown()
        await #expect(throws: SecretError.self) { try await second.get("a/x") }
        wrapper.comeBack()
        #expect(try await self.gateway().get("a/x") == "v")
        #expect(try count(second, .unwrap) == [0, 1])
        _ = await second.health(deadline: soon)
        #expect(try count(second, .health) == [1, 0])
    }

    @Test func `a key is renewed once its lifetime is over, and no read waits for it`() async throws {
        let gateway = try gateway()
        try await gateway.put("a/x", "v")
        clock.advance(by: .seconds(3_599))
        #expect(try await gateway.get("a/x") == "v")
        #expect(wrapper.unwraps == 0)
        clock.advance(by: .seconds(2))
        wrapper.hold()
        for _ in 0..<10 { #expect(try await gateway.get("a/x") == "v") }
        try await eventually("the renewal starts") { wrapper.held == 1 }
        wrapper.release()
        for _ in 0..<10 { #expect(try await gateway.get("a/x") == "v") }
        #expect(wrapper.unwraps == 1, "one renewal, good for another lifetime")
    }

    @Test func `an outage of the wrapper stops neither reads nor writes until the grace is over`() async throws {
        let gateway = try gateway()
        try await gateway.put("a/x", "v")
        wrapper.goDown()
        for hours in [1, 8, 15] {
            clock.advance(by: .seconds(hours * 3_600))
            #expect(try await gateway.get("a/x") == "v")
            try await gateway.put("a/y", "written in the outage")
            #expect(try await gateway.get("a/y") == "written in the outage")
        }
        await expectError(.keyUnavailable, containing: "new key") { try await gateway.put("b/x", "v") }
        clock.advance(by: .seconds(3_600))
        await expectError(.keyUnavailable) { try await gateway.get("a/x") }
        await expectError(.keyUnavailable) { try await gateway.put("a/x", "w") }
        wrapper.comeBack()
        #expect(try await gateway.get("a/x") == "v")
        #expect(try await gateway.get("a/y") == "written in the outage")
    }

    @Test func `without grace an outage stops reads once the lifetime is over`() async throws {
        let gateway = try gateway(
            EnvelopeOptions(keyLifetime: .seconds(60), keyGrace: .zero, keyTimeout: .seconds(300)))
        try await gateway.put("a/x", "v")
        wrapper.goDown()
        clock.advance(by: .seconds(59))
        #expect(try await gateway.get("a/x") == "v")
        clock.advance(by: .seconds(1))
        await expectError(.keyUnavailable) { try await gateway.get("a/x") }
    }

    @Test func `in an outage a renewal is tried once in each interval`() async throws {
        try await self.gateway().put("a/x", "v")
        let gateway = try gateway()
        #expect(try await gateway.get("a/x") == "v")
        wrapper.goDown()
        clock.advance(by: .seconds(3_600))
        for round in 1...3 {
            // The first read starts a renewal, which looks at the clock once more when it has failed.
            let looks = clock.looks
            _ = try await gateway.get("a/x")
            try await eventually("renewal \(round) is over") { clock.looks == looks + 2 }
            for _ in 0..<200 {
                _ = try await gateway.get("a/x")
                // Gives a renewal that should not be time to show itself.
                await Task.yield()
            }
            #expect(wrapper.unwraps == 1 + round)
            clock.advance(by: .seconds(5))
        }
    }

    @Test func `a key whose record turns out damaged is forgotten at once`() async throws {
        let gateway = try gateway()
        try await gateway.put("a/x", "v")
        try store.change(keyringPath("a")) { _ in [] }
        #expect(try await gateway.get("a/x") == "v", "nobody looks at the record before the lifetime is over")
        clock.advance(by: .seconds(3_600))
        var refusal: SecretError?
        try await eventually("it is forgotten") {
            do { _ = try await gateway.get("a/x") } catch { refusal = error as? SecretError }
            return refusal != nil
        }
        #expect(refusal?.code == .integrityFailure)
    }

    @Test func `a clock set back lets no key live on without renewal`() async throws {
        let gateway = try gateway()
        try await gateway.put("a/x", "v")
        clock.advance(by: .seconds(-1_000_000))
        _ = try await gateway.get("a/x")
        try await eventually("the renewal") { wrapper.unwraps == 1 }
    }

    @Test func `keys in memory are bounded, and any forgotten one is unwrapped again`() async throws {
        let gateway = try gateway(EnvelopeOptions(keyTimeout: .seconds(300), maximumCachedKeys: 4))
        for domain in 0..<20 {
            clock.advance(by: .seconds(1))
            try await gateway.put("d\(domain)/x", "v\(domain)")
        }
        for domain in 0..<20 { #expect(try await gateway.get("d\(domain)/x") == "v\(domain)") }
        #expect(wrapper.unwraps >= 16)
    }

    @Test func `dropping expired keys leaves those that may be used`() async throws {
        let gateway = try gateway()
        try await gateway.put("a/x", "v")
        gateway.dropExpiredKeys()
        wrapper.goDown()
        #expect(try await gateway.get("a/x") == "v")
        #expect(await gateway.health(deadline: soon).isReady)
        clock.advance(by: .seconds(25 * 3_600))
        gateway.dropExpiredKeys()
        #expect(await gateway.health(deadline: soon).detail.contains("no keys in memory"))
    }

    @Test func `who waits for a key waits no longer than its own deadline`() async throws {
        try await self.gateway().put("a/x", "v")
        let gateway = try gateway()
        wrapper.hold()
        let patient = Task { try await gateway.get("a/x") }
        try await eventually("the unwrap starts") { wrapper.held == 1 }
        await expectError(.deadlineExceeded, containing: "key of domain a") {
            try await gateway.read(.ax, version: nil, deadline: .after(.milliseconds(20)))
        }
        let cancelled = Task { await expectError(.cancelled) { try await gateway.get("a/x") } }
        try await eventually("the third is under way") { store.reads(.ax) == 3 }
        cancelled.cancel()
        _ = await cancelled.value
        wrapper.release()
        #expect(try await patient.value == "v", "the others' giving up is not this one's")
        #expect(wrapper.unwraps == 1)
    }

    @Test func `a wrapper that does not answer in time is unavailable`() async throws {
        try await self.gateway().put("a/x", "v")
        wrapper.fail(SecretError(.deadlineExceeded, "Too slow."))
        await expectError(.keyUnavailable) { try await gateway().get("a/x") }
    }

    @Test func `a store that is down while the key is fetched is an outage of the store`() async throws {
        try await self.gateway().put("a/x", "v")
        let gateway = try gateway()
        try store.answer(keyringPath("a")) { (_) throws(SecretError) in
            throw SecretError(.backendUnavailable, "No answer.")
        }
        await expectError(.backendUnavailable) { try await gateway.get("a/x") }
        try store.answer(keyringPath("a"), nil)
        #expect(try await gateway.get("a/x") == "v", "a failure is not remembered")
    }

    @Test func `health needs the store and a key, in the wrapper or in memory`() async throws {
        let second = TestKeyWrapper("test:2")
        let gateway = try EnvelopeBackend(
            store: store, keyWrappers: [wrapper, second], options: .patient, clock: clock)
        var health = await gateway.health(deadline: soon)
        #expect(health == BackendHealth(isReady: true, detail: "dishonest: ok; key test:1: ok; key test:2: ok"))
        wrapper.goDown()
        health = await gateway.health(deadline: soon)
        #expect(health.isReady)
        #expect(health.detail.contains("test:1 does not answer"))
        second.goDown()
        #expect(await gateway.health(deadline: soon).isReady == false)
        second.comeBack()
        wrapper.comeBack()
        try await gateway.put("a/x", "v")
        second.goDown()
        wrapper.goDown()
        health = await gateway.health(deadline: soon)
        #expect(health.isReady)
        #expect(health.detail.contains("keys in memory"))
        store.setReady(false)
        #expect(await gateway.health(deadline: soon).isReady == false)
        wrapper.comeBack()
        #expect(await gateway.health(deadline: soon).isReady == false)
    }
}

extension SecretPath {
    fileprivate static let ax = try! SecretPath("a/x")
}

/// A manual clock that counts how often it is looked at.
private final class CountingClock: WallClock {
    private let clock = ManualClock()
    private let count = Mutex(0)

    var looks: Int { count.withLock { $0 } }
    func advance(by duration: Duration) { clock.advance(by: duration) }

    func now() -> Timestamp {
        defer { count.withLock { $0 += 1 } }
        return clock.now()
    }
}
