import CFaultControl
import CP11Kit
import Crypto
import CryptoExtras
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct WrapTests {
    private let key = SecretBytes(copying: UInt8(0)..<32)
    private let binding = Array("domain llm".utf8)

    @Test(arguments: TokenKind.allCases)
    func `AES-GCM in the token is chosen first, and named`(kind: TokenKind) async throws {
        let wrapper = try await TestToken(kind).wrapper()
        #expect(wrapper.descriptor == KeyDescriptor(id: "pkcs11:test-kek", algorithm: "PKCS#11", origin: "pkcs11"))
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(wrapper.descriptor.algorithm == "AES-256-GCM")
        #expect(blob[17] == PKCS11WrapMechanism.aesGCM.rawValue)
    }

    @Test(arguments: TokenKind.allCases)
    func `a key that may only wrap is used by AES-KW`(kind: TokenKind) async throws {
        let wrapper = try await TestToken(kind).wrapper(.aes256ForKeyWrap)
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(wrapper.descriptor.algorithm == "AES-256-KW + AES-256-GCM")
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test(arguments: [
        (TokenKind.softHSM, PKCS11WrapMechanism.rsaOAEPSHA1), (.nss, .rsaOAEPSHA256),
    ])
    func `an RSA key is used by OAEP with the best hash that the token has`(
        kind: TokenKind, mechanism: PKCS11WrapMechanism
    ) async throws {
        let wrapper = try await TestToken(kind).wrapper(.rsa3072ForWrapping)
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(wrapper.descriptor.algorithm == mechanism.algorithm)
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test func `the public half of an RSA key is read from its public key where the private one does not have it`()
        async throws
    {
        let test = try TestToken(.softHSM, faulty: true)
        let wrapper = try await test.wrapper(.rsa3072ForWrapping)
        _ = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        try #require(test.faults).fail(fault_GetAttributeValue, with: CKR_ATTRIBUTE_TYPE_INVALID)
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test(arguments: TokenKind.allCases)
    func `a pinned mechanism is used, or refused if it does not work`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        _ = try await test.wrapper(on: token)
        let wrapper = try PKCS11KeyWrapper(
            token: token, key: test.uri("object=kek"), id: "kek", mechanism: .aesKeyWrap)
        let error = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("can wrap in no way"), "\(error)")
        #expect(await wrapper.health(deadline: soon).isReady == false)
    }

    @Test func `the IV is the one that the token says it used`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let wrapper = try await test.wrapper()
        let faults = try #require(test.faults)
        faults[fault_iv] = 1
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(Array(blob[18..<30]) == [12] + [UInt8](repeating: 0xA5, count: 11))
        faults[fault_iv] = 0
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test func `a token that makes the IV itself is asked to`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let wrapper = try await test.wrapper()
        let faults = try #require(test.faults)
        faults[fault_iv] = 2
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(wrapper.descriptor.algorithm == "AES-256-GCM")
        #expect(Array(blob[19..<30]) == [UInt8](repeating: 0xA5, count: 11))
        faults[fault_iv] = 0
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test func `an IV of zeros is not accepted from a token`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let wrapper = try await test.wrapper()
        try #require(test.faults)[fault_iv] = 3
        let error = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("IV of zeros"), "\(error)")
    }

    @Test(arguments: TokenKind.allCases)
    func `a wrapper finds the serial number of a token that is there`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        _ = try await test.wrapper(on: token)
        let serial = try await token.describe(deadline: soon).serial
        let wrapper = try await PKCS11KeyWrapper.open(token: token, key: test.uri("object=kek"), deadline: soon)
        #expect(wrapper.descriptor.id == "pkcs11:serial=\(serial);object=kek")
        #expect(wrapper.descriptor.algorithm == "AES-256-GCM")
        let named = try PKCS11KeyWrapper(token: token, key: test.uri("serial=\(serial);object=kek"))
        #expect(named.descriptor.id == wrapper.descriptor.id)
        let byID = try PKCS11KeyWrapper(token: token, key: test.uri("serial=\(serial);id=%01"))
        #expect(byID.descriptor.id == "pkcs11:serial=\(serial);id=%01")
    }

    @Test func `a key without a name that lasts is refused`() throws {
        let test = try TestToken(.softHSM)
        let token = try test.open()
        for (uri, id, why) in [
            ("object=kek", nil, "does not say the token's `serial`"), ("serial=1", nil, "names no key"),
            ("serial=1;object=kek;type=cert", nil, "is not a key that can wrap"),
            ("object=kek", String(repeating: "x", count: 256), "1 to 255 bytes"),
        ] {
            let error = try #require(throws: SecretError.self) {
                try PKCS11KeyWrapper(token: token, key: test.uri(uri), id: id)
            }
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains(why), "\(error)")
        }
    }
}
