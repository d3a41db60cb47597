import CP11Kit
import Crypto
import CryptoExtras
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct KeyTests {
    @Test(arguments: TokenKind.allCases)
    func `a generated key never leaves the token, and does only what it is for`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.aes256, label: "gcm", id: [1], deadline: soon)
        try await token.generateKey(.aes256ForKeyWrap, label: "kw", id: [2], deadline: soon)
        try await token.generateKey(.rsa3072ForWrapping, label: "rsa", id: [3], deadline: soon)
        let all = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP]
        for (label, keyClass, uses) in [
            ("gcm", KeyQuery.Class.secret, [CKA_ENCRYPT, CKA_DECRYPT]), ("kw", .secret, [CKA_WRAP, CKA_UNWRAP]),
            ("rsa", .private, [CKA_DECRYPT]),
        ] {
            try await token.perform("looking", deadline: soon) { (session, connection) throws(TokenFailure) in
                let key = try connection.key(KeyQuery(label: label, id: nil, keyClass: keyClass), session)
                try tokenCall { () throws(PKCS11Error) in
                    #expect(try session.attribute(UInt(CKA_SENSITIVE), of: key) == [1])
                    #expect(try session.attribute(UInt(CKA_EXTRACTABLE), of: key) == [0])
                    #expect(try session.attribute(UInt(CKA_PRIVATE), of: key) == [1])
                    for use in all where keyClass == .secret {
                        #expect(try session.attribute(UInt(use), of: key) == [uses.contains(use) ? 1 : 0])
                    }
                }
                let secret = keyClass == .secret ? CKA_VALUE : CKA_PRIVATE_EXPONENT
                let error = #expect(throws: PKCS11Error.self) {
                    try session.secret(UInt(secret), of: key, capacity: 512)
                }
                #expect(error?.value.rawValue == CKR_ATTRIBUTE_SENSITIVE)
                session.spoil()
            }
        }
    }

    @Test(arguments: TokenKind.allCases)
    func `a label that is taken is not used again`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        for kind in [PKCS11KeyKind.aes256, .rsa3072ForWrapping] {
            let error = try await #require(throws: SecretError.self) {
                try await token.generateKey(kind, label: "kek", id: [2], deadline: soon)
            }
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains("label kek already"), "\(error)")
        }
        try await token.perform("looking", deadline: soon) { (session, connection) throws(TokenFailure) in
            _ = try connection.key(KeyQuery(label: "kek", id: nil, keyClass: .secret), session)
        }
    }

    @Test func `a key without label or id is not made`() async throws {
        let token = try TestToken(.softHSM).open()
        for (label, id) in [("", [UInt8(1)]), ("kek", []), ("kek", [UInt8](repeating: 1, count: 65))] {
            let error = try await #require(throws: SecretError.self) {
                try await token.generateKey(.aes256, label: label, id: id, deadline: soon)
            }
            #expect(error.code == .invalidArgument)
        }
    }

    @Test(arguments: TokenKind.allCases)
    func `no key, and more than one, are errors of their own`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "kek")
        let missing = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        }
        #expect(missing.code == .keyUnavailable)
        #expect(missing.message.contains("does not have"), "\(missing)")

        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        try await makeTwin(label: "kek", id: [2], on: token)
        let ambiguous = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        }
        #expect(ambiguous.code == .keyUnavailable)
        #expect(ambiguous.message.contains("2 keys that match"), "\(ambiguous)")
        let exact = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek;id=%02"), id: "kek")
        _ = try await exact.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
    }

    @Test(arguments: TokenKind.allCases)
    func `a secret and a private key of one label are told apart by type`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.rsa3072ForWrapping, label: "kek", id: [1], deadline: soon)
        try await makeTwin(label: "kek", id: [1], on: token)
        let unclear = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "kek")
        let error = try await #require(throws: SecretError.self) {
            try await unclear.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        }
        #expect(error.message.contains("both a secret and a private key"), "\(error)")
        for (type, algorithm) in [("secret-key", "AES-256-GCM"), ("private", "RSA-OAEP")] {
            let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek;type=\(type)"), id: "kek")
            _ = try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
            #expect(wrapper.descriptor.algorithm.hasPrefix(algorithm))
        }
    }

    @Test(arguments: TokenKind.allCases)
    func `no token is an error that says which there are`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let settings = try PKCS11TokenSettings(
            PKCS11URI("pkcs11:token=nobody"), module: test.module, pin: .file(test.pinFile))
        let token = try PKCS11Token(settings, modules: PKCS11Modules())
        let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("No token is present that matches pkcs11:token=nobody; there are"), "\(error)")
        #expect(error.message.contains(test.label), "\(error)")
    }

    @Test func `more than one token is an error that says which`() async throws {
        let test = try TestToken(.softHSM)
        try SoftHSM.makeToken(test.folder.path("softhsm2.conf"), label: "second", pin: TestToken.pin)
        let uri = try PKCS11URI("pkcs11:manufacturer=SoftHSM%20project;model=SoftHSM%20v2")
        // SoftHSM always has one token more, which is not initialised and has no label.
        let settings = try PKCS11TokenSettings(uri, module: test.module, pin: .file(test.pinFile))
        let token = try PKCS11Token(settings, modules: PKCS11Modules())
        let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("2 tokens match"), "\(error)")
        #expect(error.message.contains(test.label) && error.message.contains("second"), "\(error)")
    }

    @Test(arguments: TokenKind.allCases)
    func `RSA keys sign as everybody verifies`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.rsa3072ForSigning, label: "tls", id: [1], deadline: soon)
        let key = try PKCS11SigningKey(token: token, key: test.uri("object=tls"))
        let publicKey = try await _RSA.Signing.PublicKey(derRepresentation: key.publicKey(deadline: soon))
        let message = Array("what is signed".utf8)
        for hash in PKCS11SignatureAlgorithm.Hash.allCases {
            for algorithm in [PKCS11SignatureAlgorithm.rsaPKCS1(hash), .rsaPSS(hash)] {
                let raw = try await key.sign(message, algorithm, deadline: soon)
                let signature = _RSA.Signing.RSASignature(rawRepresentation: raw)
                let padding: _RSA.Signing.Padding = algorithm == .rsaPSS(hash) ? .PSS : .insecurePKCS1v1_5
                let isValid =
                    switch hash {
                    case .sha256:
                        publicKey.isValidSignature(signature, for: SHA256.hash(data: message), padding: padding)
                    case .sha384:
                        publicKey.isValidSignature(signature, for: SHA384.hash(data: message), padding: padding)
                    case .sha512:
                        publicKey.isValidSignature(signature, for: SHA512.hash(data: message), padding: padding)
                    }
                #expect(isValid, "\(algorithm)")
            }
        }
        let error = try await #require(throws: SecretError.self) {
            try await key.sign(message, .ecdsa(.sha256), deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
    }

    @Test(arguments: TokenKind.allCases)
    func `EC keys sign as everybody verifies`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await token.generateKey(.p256ForSigning, label: "p256", id: [1], deadline: soon)
        try await token.generateKey(.p384ForSigning, label: "p384", id: [2], deadline: soon)
        let message = Array("what is signed".utf8)
        let small = try PKCS11SigningKey(token: token, key: test.uri("object=p256"))
        let p256 = try await P256.Signing.PublicKey(derRepresentation: small.publicKey(deadline: soon))
        for _ in 0..<20 {
            let signature = try await small.sign(message, .ecdsa(.sha256), deadline: soon)
            #expect(try p256.isValidSignature(.init(derRepresentation: signature), for: SHA256.hash(data: message)))
        }
        let large = try PKCS11SigningKey(token: token, key: test.uri("object=p384"))
        let p384 = try await P384.Signing.PublicKey(derRepresentation: large.publicKey(deadline: soon))
        let signature = try await large.sign(message, .ecdsa(.sha384), deadline: soon)
        #expect(try p384.isValidSignature(.init(derRepresentation: signature), for: SHA384.hash(data: message)))
    }

    @Test(arguments: TokenKind.allCases)
    func `a key that is too short does not wrap`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await makeTwin(label: "kek", id: [1], on: token, bytes: 16)
        let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "kek")
        let error = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("has 128 bits"), "\(error)")
    }

    /// Makes an AES key whatever labels there are.
    private func makeTwin(label: String, id: [UInt8], on token: PKCS11Token, bytes: UInt = 32) async throws {
        try await token.perform("making a twin", deadline: soon) { (session, connection) throws(TokenFailure) in
            try tokenCall { () throws(PKCS11Error) in
                let writing = try Session.open(
                    session.functions, slot: connection.slot, forWriting: true, session.ticket)
                _ = try writing.generateKey(
                    .plain(UInt(CKM_AES_KEY_GEN)),
                    Template([
                        (UInt(CKA_TOKEN), .flag(true)), (UInt(CKA_LABEL), .bytes(Array(label.utf8))),
                        (UInt(CKA_ID), .bytes(id)), (UInt(CKA_VALUE_LEN), .number(bytes)),
                        (UInt(CKA_PRIVATE), .flag(true)),
                        (UInt(CKA_ENCRYPT), .flag(true)), (UInt(CKA_DECRYPT), .flag(true)),
                    ]))
                try writing.close()
            }
        }
    }
}
