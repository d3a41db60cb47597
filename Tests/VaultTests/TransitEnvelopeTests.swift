// Envelope encryption with its key-encryption key in Transit.

import BackendConformance
import Envelope
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite struct `Envelope under Transit` {
    /// As many checks as show that domain keys come and go through Transit; each makes a gateway of its own.
    private static let checks = BackendConformance.checks.enumerated().filter { $0.offset % 8 == 0 }.map(\.element)

    @Test(arguments: checks) func `keeps the contract of backends`(check: ConformanceCheck) async throws {
        let transit = try await Transit()
        try await transit.withWrapper(policy: transit.policy()) { wrapper in
            let harness = BackendHarness("envelope(memory) under transit", scale: 100) { clock in
                let store = InMemoryBackend(clock: clock)
                let open: @Sendable () throws -> EnvelopeBackend = {
                    try EnvelopeBackend(
                        store: store, keyWrappers: [wrapper], options: EnvelopeOptions(keyTimeout: .seconds(300)),
                        clock: clock)
                }
                return BackendHarness.Instance(try open(), reopen: { try open() })
            }
            try await check.run(on: harness)
        }
    }

    @Test func `reads on after the key was rotated, and tells what to do once its old version is shut out`()
        async throws
    {
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            let store = InMemoryBackend(clock: ManualClock())
            let path = try SecretPath("llm/key")
            let options = EnvelopeOptions(keyTimeout: .seconds(300))
            _ = try await EnvelopeBackend(store: store, keyWrappers: [wrapper], options: options)
                .write(path, Payload(value: SecretBytes("v")), expecting: nil, deadline: soon)
            try await transit.rotate()
            let read = try await EnvelopeBackend(store: store, keyWrappers: [wrapper], options: options)
                .read(path, version: nil, deadline: soon)
            #expect(read.payload["value"] == SecretBytes("v"))
            try await transit.configure(#"{"min_decryption_version":2}"#)
            await expectError(.keyUnavailable, containing: "lower min_decryption_version") {
                try await EnvelopeBackend(store: store, keyWrappers: [wrapper], options: options)
                    .read(path, version: nil, deadline: soon)
            }
        }
    }
}
