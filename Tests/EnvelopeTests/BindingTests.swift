// What key wrappers are told of domain keys, and how domain keys are told from which wrapper they are.

import BackendConformance
import PosternProtocol
import Synchronization
import Testing

@testable import Envelope

/// A wrapper that finds out at its first call which key it uses, as one behind an alias does.
private final class LateWrapper: KeyWrapper {
    private let inner = TestKeyWrapper()
    private let isKnown = Mutex(false)

    var descriptor: KeyDescriptor {
        let known = isKnown.withLock { $0 }
        return KeyDescriptor(
            id: known ? inner.descriptor.id : "alias", algorithm: inner.descriptor.algorithm, origin: "test")
    }

    func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        isKnown.withLock { $0 = true }
        return try await inner.wrap(key, associatedData: associatedData, deadline: deadline)
    }

    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        isKnown.withLock { $0 = true }
        return try await inner.unwrap(blob, associatedData: associatedData, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth { await inner.health(deadline: deadline) }
}

@Suite struct BindingTests {
    @Test func `the domain is read out of a domain key's binding, and out of nothing else`() throws {
        let id = try #require(DomainKeyID(hex: String(repeating: "ab", count: 16)))
        let binding = KeyringRecord.associatedData(domain: "llm", key: DomainKeyName(id: id, version: 3))
        #expect(DomainKeyBinding.domain(of: binding) == "llm")
        for other in [[], Array("postern-health".utf8), Array(binding.prefix(20)), [0] + binding] {
            #expect(DomainKeyBinding.domain(of: other) == nil)
        }
    }

    @Test func `a domain key is stored under the name that its wrapper has once it has wrapped`() async throws {
        let store = InMemoryBackend()
        let wrapper = LateWrapper()
        let first = try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: .patient)
        try await first.put("llm/key", "value")
        let second = try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: .patient)
        #expect(try await second.get("llm/key") == "value")
    }
}
