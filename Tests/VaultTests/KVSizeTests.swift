// Secrets that are too large for Vault's storage.

import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite(.timeLimit(.minutes(5))) struct `A secret that is too large for Vault` {
    @Test func `is refused with the server's limit, and does not look like an outage`() async throws {
        let cluster = try await Cluster(nodes: 1, listener: "max_request_size = 1500000")
        defer { cluster.stop() }
        let vault = try VaultUnderTest(
            [cluster.nodes[0].address], mount: "secret", token: cluster.rootToken, authority: cluster.authority)
        let text = try Payload(value: SecretBytes(String(repeating: "x", count: 1_000_000)))
        let binary = try Payload(value: SecretBytes(copying: [UInt8](repeating: 0xFF, count: 1_000_000)))
        let larger = try Payload(
            [Payload.Field(name: "value", value: SecretBytes(copying: [UInt8](repeating: 0xFF, count: 1_300_000)))],
            maximumBytes: .max)
        let path = try SecretPath("a")
        #expect(try await vault.backend.write(path, text, expecting: 0, deadline: soon).number == 1)
        for expecting in [nil, 1] {
            for _ in 0..<3 {
                await expectError(.tooLarge, containing: "max_entry_size", "1048576") {
                    try await vault.backend.write(path, binary, expecting: expecting, deadline: soon)
                }
            }
            await expectError(.tooLarge, containing: "413") {
                try await vault.backend.write(path, larger, expecting: expecting, deadline: soon)
            }
        }
        #expect(vault.client.gate.outageSince == nil)
        #expect(try await vault.backend.get("a").info.number == 1)
        #expect(await vault.backend.health(deadline: soon).isReady)
        try await vault.close()
    }

    @Test func `that others stored is said to be too large to be read`() async throws {
        try await withKV { backend, place in
            let value = String(repeating: "x", count: 9 << 20)
            try await place.api.must("POST", "\(place.mount)/data/a", #"{"data":{"value":"\#(value)"}}"#)
            await expectError(.tooLarge, containing: "Version 1 of a") { try await backend.get("a") }
        }
    }
}
