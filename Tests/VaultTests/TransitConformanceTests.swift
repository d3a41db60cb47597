// The contract of key wrappers, kept by a real Transit engine.

import KeyWrapperConformance
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite struct `Transit's conformance` {
    /// Two keys in a mount, and a token that may use these two and nothing else.
    private static let harness = KeyWrapperHarness("transit") {
        let transit = try await Transit()
        try await transit.makeKey("other")
        let policy = transit.policy() + "\n" + transit.policy().replacing(Transit.key, with: "other")
        let token = SecretBytes(try await transit.api.makeToken(policy: policy))
        let session = try VaultSession(transit.api, .token(.value(token)))
        @Sendable func wrapper(_ key: String) async throws -> TransitKeyWrapper {
            try await .open(session, key: key, mount: transit.mount, deadline: soon)
        }
        return KeyWrapperHarness.Instance(
            try await wrapper(Transit.key), foreign: try await wrapper("other"),
            reopen: { try await wrapper(Transit.key) }, close: { await session.close() })
    }

    @Test(arguments: KeyWrapperConformance.checks)
    func `a Transit key keeps the contract of key wrappers`(check: KeyWrapperCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
