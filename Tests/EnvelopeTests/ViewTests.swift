// Envelope in front of a store with users of its own: the store decides who may have an envelope, the gateway opens it.

import BackendConformance
import Envelope
import PosternProtocol
import Testing

@Suite struct ViewTests {
    private let model = InMemoryBackend()
    private let store: GuardedBackend
    private let wrapper = TestKeyWrapper()

    init() {
        store = GuardedBackend(model)
        // Nobody but the gateway may read domain keys.
        store.admit("token-alice", as: .init("alice") { _, path in path.map { !$0.isReserved } ?? false })
        store.admit("token-bob", as: .init("bob") { _, _ in false })
    }

    /// An envelope with no key in memory.
    private func envelope() throws -> EnvelopeBackend {
        try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: .patient)
    }

    private func view(_ envelope: EnvelopeBackend, _ name: String) async throws -> any SecretBackend {
        try await envelope.view(for: SecretBytes("token-\(name)"), deadline: soon).backend
    }

    @Test func `a view reads as its bearer, and its keys with the gateway's own access`() async throws {
        try await envelope().put("a/x", "one")
        let before = store.asked.count
        #expect(try await view(envelope(), "alice").get("a/x") == "one")
        let keyring = try keyringPath("a")
        #expect(store.asked.dropFirst(before) == ["view as alice", "read a/x as alice", "read \(keyring)"])
    }

    @Test func `keys that the gateway has in memory serve all views, and those that views needed serve it`()
        async throws
    {
        try await envelope().put("a/x", "one")
        let envelope = try envelope()
        #expect(try await view(envelope, "alice").get("a/x") == "one")
        let unwraps = wrapper.unwraps
        #expect(try await envelope.get("a/x") == "one")
        #expect(try await view(envelope, "alice").get("a/x") == "one")
        #expect(wrapper.unwraps == unwraps)
    }

    @Test func `a view writes envelopes as its bearer`() async throws {
        let envelope = try envelope()
        let alice = try await view(envelope, "alice")
        #expect(try await alice.put("a/x", "one", expecting: 0).number == 1)
        #expect(try await alice.put("a/x", "two").number == 2)
        #expect(try await envelope.get("a/x") == "two")
        #expect(store.asked.filter { $0.hasPrefix("write") && !$0.hasSuffix(" as alice") }.count == 1, "the new key")
        for stored in try await model.everything() { #expect(stored.payload["value"]?.text != "two") }
    }

    @Test func `what the store refuses to a bearer stays shut, though the gateway has the key`() async throws {
        let envelope = try envelope()
        try await envelope.put("a/x", "one")
        let bob = try await view(envelope, "bob")
        await expectError(.permissionDenied) { try await bob.get("a/x") }
        await expectError(.permissionDenied) { try await bob.put("a/x", "two", expecting: 1) }
        await expectError(.permissionDenied) { try await bob.describe(SecretPath("a/x"), deadline: soon) }
        await expectError(.unauthenticated) { try await view(envelope, "nobody") }
        let alice = try await view(envelope, "alice")
        store.revoke("token-alice")
        await expectError(.unauthenticated) { try await alice.get("a/x") }
    }

    @Test func `a view tells who its bearer is, and refuses reserved paths`() async throws {
        let view = try await envelope().view(for: SecretBytes("token-alice"), deadline: soon)
        #expect(view.identity == ["test_accessor": "accessor-alice", "test_entity": "entity-alice"])
        let keyring = try keyringPath("a")
        await expectError(.invalidArgument) { try await view.backend.read(keyring, version: nil, deadline: soon) }
    }

    @Test func `over a store that takes no credentials there is no view`() async throws {
        let envelope = try EnvelopeBackend(store: model, keyWrappers: [wrapper], options: .patient)
        await expectError(.invalidArgument, containing: "memory") {
            try await envelope.view(for: SecretBytes("token-alice"), deadline: soon)
        }
    }

    private static let harness = BackendHarness("view of envelope(guarded(memory))", scale: 5_000) { clock in
        let store = GuardedBackend(InMemoryBackend(clock: clock))
        store.admit("token", as: .init("user") { _, path in path.map { !$0.isReserved } ?? true })
        let envelope = try EnvelopeBackend(
            store: store, keyWrappers: [TestKeyWrapper()], options: .patient, clock: clock)
        return BackendHarness.Instance(try await envelope.view(for: SecretBytes("token"), deadline: soon).backend)
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks(for: harness))
    func `a view keeps the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
