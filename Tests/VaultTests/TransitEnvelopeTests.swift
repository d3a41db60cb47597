// Envelope encryption with its key-encryption key in Transit.

import BackendConformance
import Envelope
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite struct `Envelope under Transit` {
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
