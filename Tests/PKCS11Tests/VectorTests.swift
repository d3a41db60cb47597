import CP11Kit
import Crypto
import Foundation
import PosternProtocol
import Testing

@testable import PosternPKCS11

/// The vectors of docs/key-wrapping.md: made here from the named primitives, and opened by tokens.
@Suite struct VectorTests {
    private static let id = "pkcs11:serial=0123456789abcdef;object=kek"
    private static let kek = [UInt8](0x20..<0x40)
    private static let key = [UInt8](0x00..<0x20)
    private static let oneTime = [UInt8](0xA0..<0xC0)
    private static let data = Array("domain llm".utf8)

    /// The blob of a mechanism, by the documented recipe.
    private static func blob(_ mechanism: PKCS11WrapMechanism) throws -> [UInt8] {
        let header = [1, UInt8(id.utf8.count)] + Array(id.utf8) + [mechanism.rawValue]
        let context = Array("postern-pkcs11-wrap-v1".utf8)
        if mechanism == .aesGCM {
            let iv = [UInt8](0xE0..<0xEC)
            let box = try AES.GCM.seal(
                key, using: SymmetricKey(data: kek), nonce: AES.GCM.Nonce(data: iv),
                authenticating: context + header + data)
            return header + [12] + iv + Array(box.ciphertext) + Array(box.tag)
        }
        let wrapped = try Array(AES.KeyWrap.wrap(SymmetricKey(data: oneTime), using: SymmetricKey(data: kek)))
        let prefix = [0, UInt8(wrapped.count)] + wrapped
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: oneTime), info: Array("postern-pkcs11-one-time-v1".utf8),
            outputByteCount: 32)
        let box = try AES.GCM.seal(
            key, using: derived, nonce: AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 12)),
            authenticating: context + header + prefix + data)
        return header + prefix + Array(box.ciphertext) + Array(box.tag)
    }

    @Test(arguments: TokenKind.allCases, [PKCS11WrapMechanism.aesGCM, .aesKeyWrap])
    func `tokens open the documented vectors`(kind: TokenKind, mechanism: PKCS11WrapMechanism) async throws {
        let test = try TestToken(kind)
        let token = try test.open()
        try await importKEK(token)
        let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: Self.id)
        let key = try await wrapper.unwrap(Self.blob(mechanism), associatedData: Self.data, deadline: soon)
        #expect(key == SecretBytes(copying: Self.key))
    }

    @Test(arguments: [PKCS11WrapMechanism.aesGCM, .aesKeyWrap])
    func `the guide has the vectors`(mechanism: PKCS11WrapMechanism) throws {
        let guide = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("docs/key-wrapping.md"), encoding: .utf8)
        let hex = try Self.blob(mechanism).hexadecimal
        #expect(guide.contains(hex), "\(mechanism): \(hex)")
        #expect(guide.contains(Self.id) && guide.contains(PKCS11WrapMechanism.aesKeyWrap.algorithm))
    }

    /// Puts a known key on the token, with all the uses of both mechanisms.
    private func importKEK(_ token: PKCS11Token) async throws {
        try await token.perform("importing", deadline: soon) { (session, connection) throws(TokenFailure) in
            try tokenCall { () throws(PKCS11Error) in
                let writing = try Session.open(
                    session.functions, slot: connection.slot, forWriting: true, session.ticket)
                let uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP]
                _ = try writing.create(
                    Template(
                        [
                            (UInt(CKA_CLASS), .number(UInt(CKO_SECRET_KEY))),
                            (UInt(CKA_KEY_TYPE), .number(UInt(CKK_AES))),
                            (UInt(CKA_TOKEN), .flag(true)), (UInt(CKA_PRIVATE), .flag(true)),
                            (UInt(CKA_LABEL), .bytes(Array("kek".utf8))), (UInt(CKA_VALUE), .bytes(Self.kek)),
                        ] + uses.map { (UInt($0), Template.Value.flag(true)) }))
                try writing.close()
            }
        }
    }
}
