// The contract of backends, kept by an envelope over each store that is real, under keys in each home.

import BackendConformance
import Envelope
import Foundation
import PosternProtocol
import SQLiteDev
import Synchronization
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite(.timeLimit(.minutes(10))) struct `Envelope over a real store, under a key elsewhere` {
    private static func envelope(
        _ store: any SecretBackend, _ home: KeyHome, clock: any WallClock = SystemWallClock()
    ) async throws -> EnvelopeBackend {
        try EnvelopeBackend(
            store: store, keyWrappers: [try await home.wrapper()],
            options: EnvelopeOptions(keyTimeout: .seconds(300)), clock: clock)
    }

    private static func sqlite(_ home: KeyHome) -> BackendHarness {
        BackendHarness("envelope(sqlite, \(home))", scale: 200) { clock in
            let folder = try makeTemporaryDirectory("stack")
            let current = Mutex<SQLiteBackend?>(nil)
            let close: @Sendable () async throws -> Void = { try await current.withLock { $0 }?.close() }
            let open: @Sendable () async throws -> EnvelopeBackend = {
                try await close()
                let sqlite = try await SQLiteBackend.open(
                    path: folder.appending(path: "secrets.sqlite").path, clock: clock)
                current.withLock { $0 = sqlite }
                return try await envelope(sqlite, home, clock: clock)
            }
            return BackendHarness.Instance(
                try await open(), reopen: open,
                close: {
                    try await close()
                    try FileManager.default.removeItem(at: folder)
                })
        }
    }

    private static func openBao(_ home: KeyHome) -> BackendHarness {
        BackendHarness("envelope(vault, \(home))", supportsClock: false, scale: 200) { _ in
            let api = try await DevServer.shared.api
            let mount = try await api.makeKV()
            let open: @Sendable () async throws -> EnvelopeBackend = {
                try await envelope(try await vault().store(mount: mount), home)
            }
            return BackendHarness.Instance(
                try await open(), reopen: open, close: { try await api.must("DELETE", "sys/mounts/\(mount)") })
        }
    }

    @Test(arguments: KeyHome.allCases, BackendConformance.checks)
    func `over SQLite keeps every promise of the contract`(home: KeyHome, check: ConformanceCheck) async throws {
        try await check.run(on: Self.sqlite(home))
    }

    @Test(arguments: KeyHome.allCases, BackendConformance.checks(for: openBao(.transit)))
    func `over OpenBao keeps every promise of the contract`(home: KeyHome, check: ConformanceCheck) async throws {
        try await check.run(on: Self.openBao(home))
    }

    @Test(arguments: KeyHome.allCases)
    func `another gateway with the same key opens what one wrote, and its key is all that wraps it`(
        home: KeyHome
    ) async throws {
        let mount = try await DevServer.shared.api.makeKV()
        let (first, second) = (
            try await Self.envelope(vault().store(mount: mount), home),
            try await Self.envelope(vault().store(mount: mount), home)
        )
        let path = try SecretPath("llm/openai/api_key")
        _ = try await first.write(path, Payload(value: SecretBytes("canary")), expecting: 0, deadline: soon)
        let read = try await second.read(path, version: nil, deadline: soon)
        #expect(read.payload["value"] == SecretBytes("canary"))
        let record = try await DevServer.shared.api.must("GET", "\(mount)/data/.postern/keyring/llm")
        let text = String(decoding: record.body, as: UTF8.self)
        #expect(text.contains(try await home.wrapper().descriptor.id), "\(text)")
    }
}
