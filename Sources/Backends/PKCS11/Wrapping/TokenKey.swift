// A key on a token as a wrapping key: each mechanism, in both directions.

import CP11Kit
import Crypto
import CryptoExtras
import FoundationEssentials
import PosternProtocol

/// What wraps: a key of the token, on a session, in one way.
struct TokenKey {
    let id: String
    let query: KeyQuery
    let mechanism: PKCS11WrapMechanism
    /// Whether the token makes the IV of AES-GCM itself, and refuses one that it is given.
    var tokenMakesIV = false
    let session: Session
    let connection: Connection

    /// Wraps.
    /// - Throws: what a call answered; `key_unavailable`.
    func wrap(_ key: SecretBytes, associatedData: [UInt8]) throws(TokenFailure) -> [UInt8] {
        let header = WrappedKeyHeader(id: id, mechanism: mechanism)
        switch mechanism {
        case .aesGCM: return try wrapGCM(key, header, associatedData)
        case .aesKeyWrap, .rsaOAEPSHA256, .rsaOAEPSHA1:
            let oneTime = OneTimeKey.random()
            let wrapped = try mechanism == .aesKeyWrap ? wrapAES(oneTime) : wrapRSA(oneTime)
            let prefix = [UInt8(wrapped.count >> 8), UInt8(wrapped.count & 0xFF)] + wrapped
            do throws(SecretError) {
                let sealed = try oneTime.seal(key, binding: header.binding(prefix, associatedData))
                return header.bytes + prefix + sealed
            } catch {
                throw .answer(error)
            }
        }
    }

    /// Unwraps what follows the header.
    /// - Returns: nil if it is not what ``wrap(_:associatedData:)`` made for the same data.
    /// - Throws: what a call answered; `key_unavailable`.
    func unwrap(_ body: ArraySlice<UInt8>, associatedData: [UInt8]) throws(TokenFailure) -> SecretBytes? {
        let header = WrappedKeyHeader(id: id, mechanism: mechanism)
        guard let length = body.first else { return nil }
        switch mechanism {
        case .aesGCM:
            let iv = body.dropFirst().prefix(Int(length))
            let sealed = Array(body.dropFirst(1 + Int(length)))
            guard (12...16).contains(length), (17...80).contains(sealed.count) else { return nil }
            let key = try connection.key(query, session)
            return try tokenCall { () throws(PKCS11Error) in
                try session.decryptGCM(
                    GCMResult(iv: Array(iv), ciphertextAndTag: sealed), key: key,
                    associatedData: header.binding([], associatedData))
            }
        case .aesKeyWrap, .rsaOAEPSHA256, .rsaOAEPSHA1:
            guard body.count > 2 else { return nil }
            let count = Int(length) << 8 | Int(body[body.startIndex + 1])
            let wrapped = Array(body.dropFirst(2).prefix(count))
            let sealed = body.dropFirst(2 + count)
            guard wrapped.count == count, (17...80).contains(sealed.count) else { return nil }
            let oneTime = try mechanism == .aesKeyWrap ? unwrapAES(wrapped) : unwrapRSA(wrapped)
            guard oneTime.bytes.count == OneTimeKey.byteCount else { return nil }
            return oneTime.open(sealed, binding: header.binding(Array(body.prefix(2 + count)), associatedData))
        }
    }
}

// AES-GCM in the token.
extension TokenKey {
    private func wrapGCM(
        _ plaintext: SecretBytes, _ header: WrappedKeyHeader, _ associatedData: [UInt8]
    ) throws(TokenFailure) -> [UInt8] {
        let key = try connection.key(query, session)
        let iv = tokenMakesIV ? [UInt8](repeating: 0, count: 12) : Array(AES.GCM.Nonce())
        let sealed = try tokenCall { () throws(PKCS11Error) in
            try session.encryptGCM(plaintext, key: key, iv: iv, associatedData: header.binding([], associatedData))
        }
        guard !(tokenMakesIV && sealed.iv.allSatisfy { $0 == 0 }) else {
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "The token \(connection.info.name) encrypts by AES-GCM only with an IV of zeros, which gives the key "
                        + "away when it is done twice. Use another mechanism."))
        }
        return header.bytes + [UInt8(sealed.iv.count)] + sealed.iv + sealed.ciphertextAndTag
    }
}

// AES-KW in the token. The one-time key becomes a session object, since tokens wrap objects only.
extension TokenKey {
    private static let keyWrap = Mechanism.plain(UInt(CKM_AES_KEY_WRAP))

    private static func template(_ value: SecretBytes?) -> Template {
        var attributes: [(UInt, Template.Value)] = [
            (UInt(CKA_CLASS), .number(UInt(CKO_SECRET_KEY))), (UInt(CKA_KEY_TYPE), .number(UInt(CKK_GENERIC_SECRET))),
            (UInt(CKA_TOKEN), .flag(false)), (UInt(CKA_SENSITIVE), .flag(false)),
            (UInt(CKA_EXTRACTABLE), .flag(true)),
        ]
        if let value { attributes.append((UInt(CKA_VALUE), .secret(value))) }
        return Template(attributes)
    }

    private func wrapAES(_ oneTime: OneTimeKey) throws(TokenFailure) -> [UInt8] {
        let key = try connection.key(query, session)
        return try tokenCall { () throws(PKCS11Error) in
            let object = try session.create(Self.template(oneTime.bytes))
            let wrapped = try session.wrap(
                object, under: key, Self.keyWrap, capacity: OneTimeKey.byteCount + 8)
            try session.destroy(object)
            return wrapped
        }
    }

    private func unwrapAES(_ wrapped: [UInt8]) throws(TokenFailure) -> OneTimeKey {
        let key = try connection.key(query, session)
        return try tokenCall { () throws(PKCS11Error) in
            let object = try session.unwrap(wrapped, under: key, Self.keyWrap, as: Self.template(nil))
            let value = try session.secret(UInt(CKA_VALUE), of: object, capacity: OneTimeKey.byteCount)
            try session.destroy(object)
            return OneTimeKey(value)
        }
    }
}

// RSA-OAEP: encrypted in software with the public key, decrypted in the token.
extension TokenKey {
    private var padding: (software: _RSA.Encryption.Padding, token: Mechanism) {
        mechanism == .rsaOAEPSHA256
            ? (.PKCS1_OAEP_SHA256, .oaep(hash: UInt(CKM_SHA256), mask: UInt(CKG_MGF1_SHA256)))
            : (.PKCS1_OAEP, .oaep(hash: UInt(CKM_SHA_1), mask: UInt(CKG_MGF1_SHA1)))
    }

    private func wrapRSA(_ oneTime: OneTimeKey) throws(TokenFailure) -> [UInt8] {
        let half = try RSAPublicHalf(of: query, connection, session)
        do {
            let publicKey = try _RSA.Encryption.PublicKey(n: half.modulus, e: half.exponent)
            return try unsafe oneTime.bytes.withUnsafeBytes { bytes in
                try unsafe Array(publicKey.encrypt(bytes, padding: padding.software))
            }
        } catch {
            throw .answer(
                SecretError(
                    .keyUnavailable, "\(query) on the token has no usable public half: \(half.modulus.count * 8) bits.")
            )
        }
    }

    private func unwrapRSA(_ wrapped: [UInt8]) throws(TokenFailure) -> OneTimeKey {
        let key = try connection.key(query, session)
        return try tokenCall { () throws(PKCS11Error) in
            OneTimeKey(try session.decrypt(wrapped, key: key, padding.token))
        }
    }
}
