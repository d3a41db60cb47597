// Production's stack: secrets in a live server, under domain keys that an HSM wraps. That it keeps the contract of backends is
// tried with the other stacks, in KeyStackTests.

import BackendConformance
import Envelope
import PosternPKCS11
import PosternProtocol
import SoftTokens
import TestPrograms
import Testing

@testable import Vault

@Suite(.timeLimit(.minutes(10))) struct `Envelope over Vault with a key in an HSM` {
    /// One key for all, and for each gateway a wrapper of its own.
    private static let key = Task { () throws -> (hsm: SoftToken, token: PKCS11Token) in
        let hsm = try SoftToken()
        let token = try PKCS11Token(PKCS11TokenSettings(PKCS11URI(hsm.uri("kek"))), modules: PKCS11Modules())
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        return (hsm, token)
    }

    private static func envelope(over store: any SecretBackend) async throws -> EnvelopeBackend {
        let (hsm, token) = try await key.value
        let uri = try PKCS11URI(hsm.uri("kek"))
        let wrapper = try PKCS11KeyWrapper(token: token, key: uri, id: uri.description)
        return try EnvelopeBackend(
            store: store, keyWrappers: [wrapper], options: EnvelopeOptions(keyTimeout: .seconds(300)))
    }

    @Test func `whatever fails, a secret is as before or as after`() async throws {
        let envelope = try await Self.key.value
        try await BackendConformance.checkNothingIsHalfDone(
            on: `Vault's KV v2 as a backend`.harness, seed: 11, operations: 200
        ) { store in
            let uri = try PKCS11URI(envelope.hsm.uri("kek"))
            return try EnvelopeBackend(
                store: store,
                keyWrappers: [try PKCS11KeyWrapper(token: envelope.token, key: uri, id: uri.description)],
                options: EnvelopeOptions(keyTimeout: .seconds(300)))
        }
    }

    @Test func `the server sees no plaintext, and a value moved to another path is refused`() async throws {
        try await withKV { store, place in
            let backend = try await Self.envelope(over: store)
            try await backend.put("llm/a", "value-canary")
            try await backend.put("llm/b", "other")
            #expect(try await backend.fields("llm/a") == ["value=value-canary"])
            let seen = try await place.kv("get", "-format=json", "llm/a").text
            #expect(!seen.contains("canary") && seen.contains("postern"), "\(seen)")
            let sealed = try await store.read(SecretPath("llm/a"), version: nil, deadline: soon)
            _ = try await store.write(SecretPath("llm/b"), sealed.payload, expecting: nil, deadline: soon)
            let error = await #expect(throws: SecretError.self) { try await backend.get("llm/b") }
            #expect(error?.code == .integrityFailure)
        }
    }
}
