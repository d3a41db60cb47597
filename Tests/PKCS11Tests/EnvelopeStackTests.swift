// The whole stack: secrets in SQLite, under domain keys that an HSM wraps.

import BackendConformance
import Envelope
import Foundation
import PosternProtocol
import SQLiteDev
import SoftTokens
import Synchronization
import Testing

@testable import PosternPKCS11

@Suite(.timeLimit(.minutes(10))) struct `Envelope over SQLite with a key in an HSM` {
    private static func harness(_ kind: TokenKind) async throws -> BackendHarness {
        let (test, token) = try await shared(kind)
        return BackendHarness("envelope(sqlite, pkcs11(\(kind.rawValue)))", scale: 200) { clock in
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

    /// One token of each kind with one key for all.
    private static let softHSM = Task { try await make(.softHSM) }
    private static let nss = Task { try await make(.nss) }

    private static func shared(_ kind: TokenKind) async throws -> (TestToken, PKCS11Token) {
        try await (kind == .softHSM ? softHSM : nss).value
    }

    private static func make(_ kind: TokenKind) async throws -> (TestToken, PKCS11Token) {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        return (test, token)
    }

    @Test(arguments: BackendConformance.checks, TokenKind.allCases)
    func `the stack keeps the contract of backends`(check: ConformanceCheck, kind: TokenKind) async throws {
        try await check.run(on: Self.harness(kind))
    }
}
