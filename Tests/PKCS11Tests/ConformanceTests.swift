import KeyWrapperConformance
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct ConformanceTests {
    /// A way to wrap, and the key that it takes.
    struct Way: Sendable, CustomTestStringConvertible {
        let mechanism: PKCS11WrapMechanism
        let key: PKCS11KeyKind
        var testDescription: String { mechanism.algorithm }

        static let all = [
            Way(mechanism: .aesGCM, key: .aes256),
            Way(mechanism: .aesKeyWrap, key: .aes256ForKeyWrap),
            Way(mechanism: .rsaOAEPSHA256, key: .rsa3072ForWrapping),
            Way(mechanism: .rsaOAEPSHA1, key: .rsa3072ForWrapping),
        ]
    }

    /// What there is to try: SoftHSM 2.6 refuses SHA-256 in OAEP.
    private static let combinations = TokenKind.allCases.flatMap { kind in
        Way.all.filter { !(kind == .softHSM && $0.mechanism == .rsaOAEPSHA256) }.map { (kind, $0) }
    }

    @Test(arguments: combinations)
    func `a token keeps the contract of key wrappers`(kind: TokenKind, way: Way) async throws {
        let test = try TestToken(kind)
        let modules = PKCS11Modules()
        let token = try test.open(modules)
        try await token.generateKey(way.key, label: "kek", id: [1], deadline: soon)
        try await token.generateKey(way.key, label: "other", id: [2], deadline: soon)
        @Sendable func wrapper(_ label: String, on token: PKCS11Token) throws -> PKCS11KeyWrapper {
            try PKCS11KeyWrapper(
                token: token, key: test.uri("object=\(label)"), id: "pkcs11:\(label)", mechanism: way.mechanism)
        }
        let harness = KeyWrapperHarness("\(kind.rawValue), \(way.mechanism)") {
            KeyWrapperHarness.Instance(
                try wrapper("kek", on: token), foreign: try wrapper("other", on: token),
                reopen: { try wrapper("kek", on: test.open(modules)) })
        }
        for check in KeyWrapperConformance.checks { try await check.run(on: harness) }
    }
}
