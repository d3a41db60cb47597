// The whole stack: secrets in SQLite, under domain keys that NSS wraps. The stacks with SoftHSM are in KeyStackTests.

import BackendConformance
import Envelope
import Foundation
import PosternProtocol
import SQLiteDev
import SoftTokens
import Synchronization
import Testing

@testable import PosternPKCS11

@Suite(.timeLimit(.minutes(10))) struct `Envelope over SQLite with a key in NSS softokn` {
    private static func harness() async throws -> BackendHarness {
        let (test, token) = try await shared.value
        return BackendHarness("envelope(sqlite, pkcs11(nss))", scale: 200) { clock in
            let folder = try TemporaryFolder()
            let current = Mutex<SQLiteBackend?>(nil)
            let close: @Sendable () async throws -> Void = { try await current.withLock { $0 }?.close() }
            let open: @Sendable () async throws -> EnvelopeBackend = {
                try await close()
                let sqlite = try await SQLiteBackend.open(path: folder.path("secrets.sqlite"), clock: clock)
                current.withLock { $0 = sqlite }
                let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "pkcs11:kek")
                return try EnvelopeBackend(
                    store: sqlite, keyWrappers: [wrapper], options: EnvelopeOptions(keyTimeout: .seconds(300)),
                    clock: clock)
            }
            return BackendHarness.Instance(try await open(), reopen: open, close: close)
        }
    }

    /// One token with one key for all.
    private static let shared = Task { () throws -> (TestToken, PKCS11Token) in
        let test = try TestToken(.nss)
        let token = try test.open()
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        return (test, token)
    }

    @Test(arguments: BackendConformance.checks)
    func `the stack keeps the contract of backends`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness())
    }
}
