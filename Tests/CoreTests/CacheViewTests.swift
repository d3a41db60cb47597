// The cache's promise to stores with users of their own: nobody is told from memory what the store has not told them.

import BackendConformance
import PosternCore
import PosternProtocol
import Testing

@Suite(.timeLimit(.minutes(5))) struct CacheViewTests {
    private let model = InMemoryBackend(clock: ManualClock())
    private let store: GuardedBackend
    private let secret: SecretPath

    init() throws {
        store = GuardedBackend(model)
        secret = try SecretPath("a/b")
        store.admit("token-alice", as: .init("alice"))
        store.admit("token-bob", as: .init("bob"))
        store.admit("token-mallory", as: .init("mallory") { _, _ in false })
    }

    private var soon: Deadline { .after(.seconds(300)) }

    private func cache(_ change: (inout ReadCache.Options) -> Void = { _ in }) -> ReadCache {
        var options = ReadCache.Options()
        options.fetchTimeout = .seconds(300)
        options.patience = .seconds(300)
        options.failureBackoff = .zero
        change(&options)
        return ReadCache(store, options: options)
    }

    private func put(_ value: String, _ path: SecretPath? = nil) async throws {
        _ = try await model.write(
            path ?? secret, Payload(value: SecretBytes(value)), expecting: nil, deadline: soon)
    }

    /// A read as one request makes it: with a view of its own, or with the gateway's own access.
    @discardableResult
    private func read(
        _ cache: ReadCache, as name: String? = nil, _ path: SecretPath? = nil, version: Int? = nil
    ) async throws -> SecretVersion {
        try await self.store(cache, as: name).read(path ?? secret, version: version, deadline: soon)
    }

    private func store(_ cache: ReadCache, as name: String?) async throws -> any SecretBackend {
        guard let name else { return cache }
        return try await cache.view(for: SecretBytes("token-\(name)"), deadline: soon).backend
    }

    @discardableResult
    private func expectError(
        _ code: SecretError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
    ) async -> SecretError? {
        let error = await #expect(throws: SecretError.self, sourceLocation: sourceLocation) { _ = try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        return error
    }

    private func asked(_ call: String) -> Int { store.asked.count { $0 == call } }

    @Test func `a remembered answer is refused to a credential that the store has not accepted for it`() async throws {
        try await put("one")
        let cache = cache()
        try await read(cache)
        try await read(cache, as: "alice")
        await expectError(.permissionDenied) { try await read(cache, as: "mallory") }
        await expectError(.unauthenticated) { try await read(cache, as: "nobody") }
        #expect(asked("read a/b as mallory") == 1, "the store itself decides")
        #expect(try await read(cache).freshness.servedFrom == "cache")
    }

    @Test func `an accepted credential is answered from memory, without a question to the store`() async throws {
        try await put("one")
        let cache = cache()
        #expect(try await read(cache, as: "alice").freshness == .live)
        let asked = store.asked
        #expect(asked == ["view as alice", "read a/b as alice"])
        for version in [nil, 1] {
            let again = try await read(cache, as: "alice", version: version)
            #expect(again.freshness.servedFrom == "cache")
            #expect(again.payload["value"] == SecretBytes("one"))
        }
        #expect(store.asked == asked)
    }

    @Test func `each path and each credential is accepted by itself`() async throws {
        let other = try SecretPath("a/c")
        try await put("one")
        try await put("two", other)
        store.admit("token-alice", as: .init("alice") { _, path in path?.text == "a/b" })
        let cache = cache()
        for path in [secret, other] { try await read(cache, path) }
        try await read(cache, as: "alice")
        await expectError(.permissionDenied) { try await read(cache, as: "alice", other) }
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "cache")
        #expect(try await read(cache, as: "bob").freshness == .live)
    }

    @Test func `the identity that the store gives is told, also from memory`() async throws {
        let cache = cache()
        for _ in 0..<2 {
            let view = try await cache.view(for: SecretBytes("token-alice"), deadline: soon)
            #expect(view.identity == ["test_accessor": "accessor-alice", "test_entity": "entity-alice"])
        }
        #expect(asked("view as alice") == 1)
        let forgetful = self.cache { $0.timeToLive = .zero }
        for _ in 0..<2 { _ = try await store(forgetful, as: "bob") }
        #expect(asked("view as bob") == 2, "but no longer than anything else")
    }

    @Test(arguments: [true, false])
    func `a credential that the store no longer accepts opens nothing once the time to live is over`(revoked: Bool)
        async throws
    {
        try await put("one")
        let life = Duration.milliseconds(200)
        let cache = cache {
            $0.timeToLive = life
            $0.refreshAhead = life / 2
        }
        try await read(cache, as: "alice")
        let accepted = ContinuousClock.now
        if revoked {
            store.revoke("token-alice")
        } else {
            store.admit("token-alice", as: .init("alice") { _, _ in false })
        }
        while true {
            // Others keep the secret itself fresh: that must not prolong what alice may have.
            try await read(cache)
            let started = ContinuousClock.now
            guard let answer = try? await read(cache, as: "alice") else { break }
            #expect(answer.freshness.servedFrom == "cache")
            try #require(accepted.duration(to: started) < life)
        }
        await expectError(revoked ? .unauthenticated : .permissionDenied) { try await read(cache, as: "alice") }
    }

    @Test func `in an outage the last answer is served, marked stale, only to credentials accepted before`()
        async throws
    {
        try await put("one")
        let cache = cache { $0.timeToLive = .zero }
        try await read(cache)
        try await read(cache, as: "alice")
        let other = try SecretPath("a/other")
        try await put("other", other)
        try await read(cache, as: "bob", other)
        store.setDown(true)
        let stale = try await read(cache, as: "alice")
        #expect(stale.freshness.servedFrom == "stale")
        #expect(stale.payload["value"] == SecretBytes("one"))
        let view = try await cache.view(for: SecretBytes("token-alice"), deadline: soon)
        #expect(view.identity["test_accessor"] == "accessor-alice", "records still tell who it was")
        await expectError(.backendUnavailable) { try await read(cache, as: "bob") }
        await expectError(.backendUnavailable) { try await read(cache, as: "mallory") }
        store.setDown(false)
        #expect(try await read(cache, as: "alice").freshness == .live)
    }

    @Test func `nothing is served on an acceptance older than the configured staleness`() async throws {
        try await put("one")
        let cache = cache {
            $0.timeToLive = .zero
            $0.maximumStaleness = .zero
        }
        try await read(cache, as: "alice")
        store.setDown(true)
        await expectError(.backendUnavailable) { try await read(cache, as: "alice") }
    }

    @Test func `a store that hangs is waited for no longer than the cache's patience, and then not at all`()
        async throws
    {
        try await put("one")
        let cache = cache {
            $0.timeToLive = .zero
            $0.patience = .milliseconds(1)
            $0.failureBackoff = .seconds(3_600)
        }
        try await read(cache, as: "alice")
        let gate = Gate()
        gate.shut()
        store.onAnswer { (_) async throws(SecretError) in try await gate.pass() }
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "stale")
        let asked = store.asked
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "stale")
        #expect(store.asked == asked)
        gate.open()
    }

    /// Ways in which the store can refuse what it gave before.
    enum Refusal: CaseIterable { case otherVersion, description, change }

    @Test(arguments: Refusal.allCases, [true, false])
    func `a refusal ends at once what was accepted before`(refusal: Refusal, revoked: Bool) async throws {
        try await put("one")
        let cache = cache()
        try await read(cache, as: "alice")
        try await read(cache)
        if revoked {
            store.revoke("token-alice")
        } else {
            store.admit("token-alice", as: .init("alice") { _, _ in false })
        }
        let code: SecretError.Code = revoked ? .unauthenticated : .permissionDenied
        await expectError(code) {
            let store = try await store(cache, as: "alice")
            switch refusal {
            case .otherVersion: _ = try await store.read(secret, version: 7, deadline: soon)
            case .description: _ = try await store.describe(secret, deadline: soon)
            case .change: try await store.delete(secret, versions: [], deadline: soon)
            }
        }
        await expectError(code) { try await read(cache, as: "alice") }
    }

    @Test func `what only a credential was given is not told with the gateway's own access`() async throws {
        try await put("one")
        let cache = cache()
        store.restrictOwnAccess { _, _ in false }
        try await read(cache, as: "alice")
        await expectError(.permissionDenied) { try await read(cache) }
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "cache", "and she has it still")
    }

    @Test func `a credential's question leaves the gateway's own right to an answer as it was`() async throws {
        try await put("one")
        let cache = cache {
            $0.timeToLive = .seconds(60)
            $0.refreshAhead = .zero
        }
        try await read(cache)
        try await read(cache, as: "alice")
        store.restrictOwnAccess { _, _ in false }
        #expect(try await read(cache).freshness.servedFrom == "cache")
    }

    @Test func `a change through a view is seen by all at once`() async throws {
        try await put("one")
        let cache = cache()
        for name in [nil, "alice", "bob"] { try await read(cache, as: name) }
        let written = try await store(cache, as: "alice").write(
            secret, Payload(value: SecretBytes("two")), expecting: 1, deadline: soon)
        #expect(written.number == 2)
        for name in [nil, "alice", "bob"] {
            #expect(try await read(cache, as: name).payload["value"] == SecretBytes("two"))
        }
        #expect(asked("write a/b as alice") == 1)
    }

    @Test func `a change that a store refuses for its credential, or never hears of, changes nothing`() async throws {
        try await put("one")
        let cache = cache { $0.timeToLive = .zero }
        try await read(cache, as: "alice")
        store.setDown(true)
        await expectError(.backendUnavailable) {
            try await store(cache, as: "alice").remove(secret, deadline: soon)
        }
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "stale", "what was known is not forgotten")
    }

    /// Runs something with the store's answer to a call held back until it is done.
    private func holding<Value: Sendable>(
        _ call: String, failing failure: SecretError? = nil, _ slow: @escaping @Sendable () async throws -> Value,
        during body: () async throws -> Void
    ) async throws -> Value {
        let gate = Gate()
        gate.shut()
        let (arrived, arrive) = AsyncStream.makeStream(of: Void.self)
        store.onAnswer { (answered) async throws(SecretError) in
            guard answered == call else { return }
            arrive.finish()
            try await gate.pass()
        }
        async let value = slow()
        for await _ in arrived {}
        store.onAnswer(nil)
        do {
            try await body()
        } catch {
            gate.open()
            throw error
        }
        gate.open(failing: failure)
        return try await value
    }

    @Test func `an answer that was on its way when the secret changed is not remembered`() async throws {
        try await put("one")
        let cache = cache()
        let old = try await holding("read a/b as alice") {
            try await read(cache, as: "alice")
        } during: {
            _ = try await cache.write(secret, Payload(value: SecretBytes("two")), expecting: 1, deadline: soon)
        }
        #expect(old.payload["value"] == SecretBytes("one"))
        for name in ["alice", nil, "bob"] {
            #expect(try await read(cache, as: name).payload["value"] == SecretBytes("two"))
        }
    }

    @Test func `a slow answer does not replace that to a later question`() async throws {
        try await put("one")
        let cache = cache()
        _ = try await holding("read a/b as alice") {
            try await read(cache, as: "alice")
        } during: {
            try await put("two")
            try await read(cache, as: "bob")
        }
        for name in ["bob", "alice"] {
            let answer = try await read(cache, as: name)
            #expect(answer.payload["value"] == SecretBytes("two"))
            #expect(answer.freshness.servedFrom == "cache")
        }
    }

    @Test func `a slow answer with the gateway's own access does not replace that to a later question either`()
        async throws
    {
        try await put("one")
        let cache = cache()
        _ = try await holding("read a/b") {
            try await read(cache)
        } during: {
            try await put("two")
            try await read(cache, as: "bob")
        }
        for name in ["bob", nil] {
            let answer = try await read(cache, as: name)
            #expect(answer.payload["value"] == SecretBytes("two"))
            #expect(answer.freshness.servedFrom == "cache")
        }
    }

    @Test(arguments: [true, false])
    func `an answer that was on its way when the store refused its asker opens nothing later`(revoked: Bool)
        async throws
    {
        try await put("one")
        let cache = cache()
        _ = try await holding("read a/b as alice") {
            try await read(cache, as: "alice")
        } during: {
            let denied = GuardedBackend.User("alice") { _, _ in false }
            if revoked { store.revoke("token-alice") } else { store.admit("token-alice", as: denied) }
            await expectError(revoked ? .unauthenticated : .permissionDenied) {
                try await read(cache, as: "alice", version: 7)
            }
            // Known again, she is not what she was.
            store.admit("token-alice", as: denied)
            _ = try await self.store(cache, as: "alice")
        }
        await expectError(.permissionDenied) { try await read(cache, as: "alice") }
    }

    @Test func `a request that waited while its credential was refused is not served a stale answer`() async throws {
        try await put("one")
        let cache = cache { $0.timeToLive = .zero }
        try await read(cache, as: "alice")
        await expectError(.backendUnavailable) {
            try await holding("read a/b as alice", failing: SecretError(.backendUnavailable, "The line broke.")) {
                try await read(cache, as: "alice")
            } during: {
                store.admit("token-alice", as: .init("alice") { _, _ in false })
                await expectError(.permissionDenied) { try await read(cache, as: "alice", version: 7) }
            }
        }
    }

    @Test func `a thousand requests with one credential that miss together ask the store once`() async throws {
        try await put("one")
        // A busy machine takes more than a minute to start them all.
        let cache = cache { $0.timeToLive = .seconds(3_600) }
        let gate = Gate()
        gate.shut()
        store.onAnswer { (_) async throws(SecretError) in try await gate.pass() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1_000 { group.addTask { try await read(cache, as: "alice") } }
            while store.asked.isEmpty { await Task.yield() }
            gate.open()
            try await group.waitForAll()
        }
        #expect(store.asked == ["view as alice", "read a/b as alice"])
    }

    @Test func `nobody's credential is used to refresh what is remembered`() async throws {
        try await put("one")
        let cache = cache {
            $0.timeToLive = .seconds(60)
            $0.refreshAhead = .seconds(60)
        }
        try await read(cache, as: "alice")
        try await read(cache)
        for _ in 0..<100 { try await read(cache, as: "alice") }
        // The gateway's own reads do refresh; once that is seen, the others had their time as well.
        while asked("read a/b") < 3 {
            try await read(cache)
            await Task.yield()
        }
        #expect(asked("read a/b as alice") == 1)
        #expect(asked("view as alice") == 1)
    }

    @Test func `the cache holds no credential once its request is over`() async throws {
        try await put("one")
        let cache = cache()
        func request() async throws -> () -> Bool {
            let token = SecretBytes("token-alice")
            _ = try await cache.view(for: token, deadline: soon).backend.read(secret, version: nil, deadline: soon)
            return { [weak token] in token == nil }
        }
        let isGone = try await request()
        while !isGone() { await Task.yield() }
        #expect(try await read(cache, as: "alice").freshness.servedFrom == "cache")
    }

    @Test func `what is remembered of credentials is bounded`() async throws {
        try await put("one")
        let few = cache { $0.maximumCredentials = 10 }
        for number in 0..<200 { store.admit("token-\(number)", as: .init("\(number)")) }
        func servedFromMemory(_ cache: ReadCache, _ read: (Int) async throws -> SecretVersion) async throws -> Int {
            for number in 0..<200 { _ = try await read(number) }
            var count = 0
            // From the last, since asking again makes room at the cost of others.
            for number in (0..<200).reversed() where try await read(number).freshness != .live { count += 1 }
            return count
        }
        let credentials = try await servedFromMemory(few) { try await read(few, as: "\($0)") }
        #expect((1...20).contains(credentials), "\(credentials)")
        #expect(try await read(few, as: "7").payload["value"] == SecretBytes("one"))

        let narrow = cache { $0.maximumAcceptances = 10 }
        for number in 0..<200 { try await put("one", SecretPath("n/\(number)")) }
        let acceptances = try await servedFromMemory(narrow) {
            try await read(narrow, as: "alice", SecretPath("n/\($0)"))
        }
        #expect(acceptances <= 20, "\(acceptances)")
    }

    @Test func `a credential is not taken for the first part of another`() async throws {
        try await put("one")
        store.admit("token-al", as: .init("al") { _, _ in false })
        let cache = cache()
        try await read(cache, as: "alice")
        await expectError(.permissionDenied) { try await read(cache, as: "al") }
    }

    @Test func `a store that takes no credentials is never asked in its own name instead`() async throws {
        try await put("one")
        let cache = ReadCache(model)
        await expectError(.invalidArgument) { try await cache.view(for: SecretBytes("token-alice"), deadline: soon) }
        let view = try await self.cache().view(for: SecretBytes("token-alice"), deadline: soon).backend
        await expectError(.invalidArgument) { try await view.view(for: SecretBytes("token-bob"), deadline: soon) }
    }
}
