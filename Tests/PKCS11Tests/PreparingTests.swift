import Foundation
import PosternProtocol
import Testing

@testable import PosternPKCS11

@Suite struct PreparingTests {
    @Test(arguments: TokenKind.allCases)
    func `a token tells whether it has a key, and whether which is clear`(kind: TokenKind) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        #expect(try await !token.holds(test.uri("object=kek"), deadline: soon))
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        try await token.generateKey(.p256ForSigning, label: "tls", id: [1], deadline: soon)
        #expect(try await token.holds(test.uri("object=kek"), deadline: soon))
        #expect(try await token.holds(test.uri("object=tls"), deadline: soon))
        #expect(try await !token.holds(test.uri("object=kek;type=private"), deadline: soon))
        #expect(try await token.holds(test.uri("id=%01;type=secret-key"), deadline: soon))
        let error = try await #require(throws: SecretError.self) {
            try await token.holds(test.uri("id=%01"), deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("2 keys"), "\(error)")
    }

    @Test(arguments: TokenKind.allCases)
    func `the kind of key to make is one that the token can wrap with`(kind: TokenKind) async throws {
        let test = try TestToken(kind, faulty: true)
        let token = try test.open()
        #expect(try await token.kindForWrapping(rsa: false, deadline: soon) == .aes256)
        let rsa = try await token.kindForWrapping(rsa: true, deadline: soon)
        #expect(rsa == .rsa3072ForWrapping)
        for (label, made) in [("aes", PKCS11KeyKind.aes256), ("rsa", rsa)] {
            try await token.generateKey(made, label: label, id: Array(label.utf8), deadline: soon)
            let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=\(label)"), id: "pkcs11:\(label)")
            #expect(await wrapper.health(deadline: soon).isReady)
        }
    }

    @Test(arguments: TokenKind.allCases)
    func `a blob needs wrapping anew only if it was made in another way or under another name`(
        kind: TokenKind
    ) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        let wrapper = try await test.wrapper(on: token)
        let blob = try await wrapper.wrap(SecretBytes("0123456789abcdef"), associatedData: [1], deadline: soon)
        #expect(try await !wrapper.needsRewrap(blob, deadline: soon))
        let reopened = try PKCS11KeyWrapper(token: test.open(), key: test.uri("object=kek"), id: "pkcs11:test-kek")
        #expect(try await !reopened.needsRewrap(blob, deadline: soon))
        let renamed = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "pkcs11:other")
        #expect(try await renamed.needsRewrap(blob, deadline: soon))

        try await token.generateKey(.aes256ForKeyWrap, label: "kw", id: [2], deadline: soon)
        let keyWrap = try PKCS11KeyWrapper(token: token, key: test.uri("object=kw"), id: "pkcs11:test-kek")
        #expect(try await keyWrap.needsRewrap(blob, deadline: soon), "it was made by AES-GCM")
    }

    @Test func `a module's init arguments may be in the URI`() throws {
        let uri = try PKCS11URI(
            "pkcs11:token=t?module-path=/m.so&x-init-args=configdir='sql:/var/lib/nss'%20flags=&pin-source=env:PIN")
        let settings = try PKCS11TokenSettings(uri)
        #expect(settings.module.initArguments == "configdir='sql:/var/lib/nss' flags=")
        #expect(!settings.module.isManaged)
        #expect(throws: SecretError.self) { try PKCS11URI("pkcs11:token=t;x-init-args=a") }
    }
}
