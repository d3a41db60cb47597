import BackendConformance
import Envelope
import PosternProtocol
import Testing

/// Envelope keeps the contract that every backend keeps, whatever stands behind it.
@Suite struct ConformanceTests {
    /// Over the model; opening again means a new gateway, without any key in memory, over the same store.
    private static func overMemory(
        scale: Int, _ decorate: @escaping @Sendable (any SecretBackend) -> any SecretBackend = { $0 }
    ) -> BackendHarness {
        BackendHarness("envelope(memory)", scale: scale) { clock in
            let store = decorate(InMemoryBackend(clock: clock))
            let wrapper = TestKeyWrapper()
            let open: @Sendable () throws -> EnvelopeBackend = {
                try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: .patient, clock: clock)
            }
            return BackendHarness.Instance(try open(), reopen: { try open() })
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks)
    func `envelope keeps the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.overMemory(scale: 100_000))
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks)
    func `envelope keeps the contract over a store that takes its time`(check: ConformanceCheck) async throws {
        let harness = Self.overMemory(scale: 1_000) { store in
            LatencyInjectingBackend(store) { .microseconds(Int.random(in: 0...200)) }
        }
        try await check.run(on: harness)
    }

    @Test(.timeLimit(.minutes(5)), arguments: 1...20 as ClosedRange<UInt64>)
    func `over a store that fails now and then, nothing is half done`(seed: UInt64) async throws {
        try await BackendConformance.checkNothingIsHalfDone(on: .inMemory, seed: seed) { store in
            try EnvelopeBackend(store: store, keyWrappers: [TestKeyWrapper()], options: .patient)
        }
    }
}
