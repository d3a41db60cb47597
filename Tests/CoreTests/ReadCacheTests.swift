import BackendConformance
import PosternCore
import PosternProtocol
import Testing

@Suite struct ReadCacheTests {
    private let store: AskedBackend
    private let gate = Gate()
    private let clock = ManualClock()
    private let secret: SecretPath
    private let unavailable = SecretError(.backendUnavailable, "The store is down.")

    init() throws {
        store = AskedBackend(InMemoryBackend(clock: clock))
        secret = try SecretPath("a/b")
        let gate = gate
        store.onCall { () async throws(SecretError) in try await gate.pass() }
    }

    private func cache(_ change: (inout ReadCache.Options) -> Void = { _ in }) -> ReadCache {
        var options = ReadCache.Options()
        change(&options)
        return ReadCache(store, options: options, clock: clock)
    }

    private func write(_ text: String, _ path: SecretPath? = nil) async throws {
        _ = try await store.inner.write(
            path ?? secret, Payload(value: SecretBytes(text)), expecting: nil, deadline: .after(.seconds(300)))
    }

    private func read(_ cache: ReadCache, version: Int? = nil, within: Duration = .seconds(300)) async throws
        -> SecretVersion
    {
        try await cache.read(secret, version: version, deadline: .after(within))
    }

    private var reads: Int { store.asked.count { $0.hasPrefix("read") } }

    @Test func `a second read is answered from memory and says so`() async throws {
        try await write("one")
        let cache = cache()
        #expect(try await read(cache).freshness == .live)
        let again = try await read(cache)
        #expect(again.freshness.servedFrom == "cache")
        #expect(again.payload["value"] == SecretBytes("one"))
        #expect(try await read(cache, version: 1).freshness.servedFrom == "cache")
        #expect(reads == 1)
        _ = try? await read(cache, version: 7)
        #expect(reads == 2, "another version is asked for at the store")
    }

    @Test func `past its time to live an answer is asked for again`() async throws {
        try await write("one")
        let cache = cache { $0.timeToLive = .zero }
        _ = try await read(cache)
        try await write("two")
        let again = try await read(cache)
        #expect(again.freshness == .live)
        #expect(again.payload["value"] == SecretBytes("two"))
    }

    @Test func `an entry in use is refreshed in the background before its time is up`() async throws {
        try await write("one")
        let cache = cache {
            $0.timeToLive = .seconds(60)
            $0.refreshAhead = .seconds(60)
        }
        _ = try await read(cache)
        try await write("two")
        #expect(try await read(cache).payload["value"] == SecretBytes("one"), "the read itself does not wait")
        while try await read(cache).payload["value"] != SecretBytes("two") { await Task.yield() }
    }

    @Test(arguments: [SecretError.Code.backendUnavailable, .backendSealed, .keyUnavailable, .deadlineExceeded])
    func `while the store cannot answer, the last answer is served and marked stale`(code: SecretError.Code)
        async throws
    {
        try await write("one")
        let cache = cache { $0.timeToLive = .zero }
        _ = try await read(cache)
        gate.open(failing: SecretError(code, "down"))
        let stale = try await read(cache)
        #expect(stale.freshness.servedFrom == "stale")
        #expect(stale.freshness.age > .zero)
        #expect(stale.payload["value"] == SecretBytes("one"))
        gate.open()
        while try await read(cache).freshness != .live { await Task.yield() }
    }

    @Test func `a store that hangs delays a stale answer no longer than the cache's patience`() async throws {
        try await write("one")
        let cache = cache {
            $0.timeToLive = .zero
            $0.patience = .milliseconds(1)
        }
        _ = try await read(cache)
        gate.shut()
        #expect(try await read(cache).freshness.servedFrom == "stale")
        gate.open()
    }

    @Test func `nothing older than the configured staleness is served`() async throws {
        try await write("one")
        let cache = cache {
            $0.timeToLive = .zero
            $0.maximumStaleness = .zero
        }
        _ = try await read(cache)
        gate.open(failing: unavailable)
        let error = await #expect(throws: SecretError.self) { try await read(cache) }
        #expect(error?.code == .backendUnavailable)
    }

    @Test func `what the store says is gone is not served from memory`() async throws {
        try await write("one")
        let cache = cache { $0.timeToLive = .zero }
        _ = try await read(cache)
        try await store.inner.remove(secret, deadline: .after(.seconds(300)))
        let error = await #expect(throws: SecretError.self) { try await read(cache) }
        #expect(error?.code == .notFound)
        gate.open(failing: unavailable)
        let later = await #expect(throws: SecretError.self) { try await read(cache) }
        #expect(later?.code == .backendUnavailable)
    }

    @Test func `a version past its own time to be deleted is not served, even during an outage`() async throws {
        try await write("one")
        _ = try await store.inner.updateMetadata(
            secret, MetadataChange(deleteVersionAfterSeconds: 60), deadline: .after(.seconds(300)))
        try await write("two")
        let cache = cache()
        _ = try await read(cache)
        #expect(try await read(cache).freshness.servedFrom == "cache")
        clock.advance(by: .seconds(61))
        let error = await #expect(throws: SecretError.self) { try await read(cache) }
        #expect(error?.code == .versionDeleted)
    }

    @Test func `a thousand readers that miss together ask the store once`() async throws {
        try await write("one")
        let cache = cache()
        gate.shut()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1_000 { group.addTask { _ = try await read(cache, within: .seconds(300)) } }
            while store.asked.isEmpty { await Task.yield() }
            gate.open()
            try await group.waitForAll()
        }
        #expect(reads == 1)
    }

    @Test func `a reader waits no longer than its own deadline, and the others go on waiting`() async throws {
        try await write("one")
        let cache = cache()
        gate.shut()
        async let patient = read(cache, within: .seconds(300))
        while store.asked.isEmpty { await Task.yield() }
        let error = await #expect(throws: SecretError.self) { try await read(cache, within: .milliseconds(1)) }
        // Its time was up before it asked, or the store was too slow for it.
        #expect(error?.code == .deadlineExceeded || error?.code == .backendUnavailable)
        let gone = Task { try await read(cache, within: .seconds(300)) }
        gone.cancel()
        let cancelled = await #expect(throws: SecretError.self) { try await gone.value }
        #expect(cancelled?.code == .cancelled)
        gate.open()
        #expect(try await patient.payload["value"] == SecretBytes("one"))
    }

    @Test func `an answer that was on its way when the secret changed is not remembered`() async throws {
        try await write("one")
        let cache = cache()
        gate.shut()
        async let slow = read(cache, within: .seconds(300))
        while store.asked.isEmpty { await Task.yield() }
        async let written = cache.write(
            secret, Payload(value: SecretBytes("two")), expecting: nil, deadline: .after(.seconds(300)))
        while store.asked.count < 2 { await Task.yield() }
        gate.open()
        _ = try await (slow, written)
        #expect(try await read(cache).payload["value"] == SecretBytes("two"))
    }

    @Test func `memory is bounded by number and by bytes, and what is in use stays`() async throws {
        let cache = cache {
            $0.maximumSecrets = 10
            $0.timeToLive = .seconds(3_600)
            $0.maximumBytes = 1_000
        }
        let hot = try SecretPath("hot")
        try await write("hot", hot)
        _ = try await cache.read(hot, version: nil, deadline: .after(.seconds(300)))
        for number in 0..<200 {
            let path = try SecretPath("cold/\(number)")
            try await write(String(repeating: "x", count: 50), path)
            _ = try await cache.read(path, version: nil, deadline: .after(.seconds(300)))
            let again = try await cache.read(hot, version: nil, deadline: .after(.seconds(300)))
            #expect(again.freshness.servedFrom == "cache", "after \(number)")
            #expect(cache.usage.secrets <= 10)
            #expect(cache.usage.bytes <= 1_000)
        }
    }

    @Test func `a secret too large for the cache is served all the same`() async throws {
        let cache = cache { $0.maximumBytes = 10 }
        try await write("more than ten bytes")
        #expect(try await read(cache).freshness == .live)
        #expect(try await read(cache).freshness == .live)
        #expect(cache.usage.secrets == 0)
    }

    @Test func `a caller with little time gets the old answer while there is time left to send it`() async throws {
        try await write("one")
        let cache = cache {
            $0.timeToLive = .zero
            $0.patience = .seconds(300)
            $0.failureBackoff = .seconds(3_600)
        }
        _ = try await read(cache)
        gate.shut()
        let deadline = Deadline.after(.seconds(2))
        let stale = try await cache.read(secret, version: nil, deadline: deadline)
        #expect(stale.freshness.servedFrom == "stale")
        #expect(try await read(cache).freshness.servedFrom == "stale", "the next one does not wait at all")
        #expect(reads == 2)
        gate.open()
    }
}
