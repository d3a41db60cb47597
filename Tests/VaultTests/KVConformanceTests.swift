// The contract of backends, kept by a real server.

import BackendConformance
import Envelope
import Foundation
import LocalKey
import PosternProtocol
import Synchronization
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `Vault's KV v2 as a backend` {
    /// A mount for each backend, and a token that may do what docs/vault-format.md lists and nothing else; opening again means
    /// another client.
    static let harness = BackendHarness("vault", supportsClock: false, scale: 2_000) { _ in
        let api = try await DevServer.shared.api
        let mount = try await api.makeKV()
        let token = try await api.makeToken(policy: try documentedPolicy(for: mount))
        let first = try VaultUnderTest([api.address], mount: mount, token: token)
        let opened = Mutex([first])
        return BackendHarness.Instance(
            first.backend,
            reopen: {
                let again = try VaultUnderTest([api.address], mount: mount, token: token)
                opened.withLock { $0.append(again) }
                return again.backend
            },
            close: {
                for vault in opened.withLock({ $0 }) { try await vault.close() }
                try await api.must("DELETE", "sys/mounts/\(mount)")
            })
    }

    /// The policy in the documentation, which is for the mount `secret`.
    private static func documentedPolicy(for mount: String) throws -> String {
        let text = try String(contentsOf: Places.package.appending(path: "docs/vault-format.md"), encoding: .utf8)
        let parts = text.split(separator: "```hcl", maxSplits: 1)
        guard parts.count == 2, let policy = parts[1].split(separator: "```").first else {
            throw HarnessError(description: "docs/vault-format.md has no policy.")
        }
        return String(policy).replacing("\"secret/", with: "\"\(mount)/")
    }

    /// A key file for all.
    private static let key = Task { () throws -> LocalFileKeyWrapper in
        let folder = try makeTemporaryDirectory("kek")
        defer { try? FileManager.default.removeItem(at: folder) }
        return try LocalFileKeyWrapper(path: folder.appending(path: "kek").path, createIfMissing: true)
    }

    static let enveloped = harness.decorated("envelope") { store, _ in
        try EnvelopeBackend(
            store: store, keyWrappers: [try await key.value], options: EnvelopeOptions(keyTimeout: .seconds(300)))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks(for: harness))
    func `keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks(for: enveloped))
    func `keeps every promise under Envelope`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.enveloped)
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.historyChecks)
    func `takes over histories`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.historyChecks)
    func `takes over histories under Envelope`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.enveloped)
    }

    @Test(.timeLimit(.minutes(10)), arguments: [1, 2] as [UInt64])
    func `whatever fails, a secret is as before or as after`(seed: UInt64) async throws {
        try await BackendConformance.checkNothingIsHalfDone(on: Self.harness, seed: seed, operations: 300)
    }

    @Test(.timeLimit(.minutes(10)))
    func `whatever fails under Envelope, a secret is as before or as after`() async throws {
        let key = try await Self.key.value
        try await BackendConformance.checkNothingIsHalfDone(on: Self.harness, seed: 3, operations: 300) { store in
            try EnvelopeBackend(store: store, keyWrappers: [key], options: EnvelopeOptions(keyTimeout: .seconds(300)))
        }
    }
}
