// Associated data for mechanisms that have none of their own (AES-KW, RSA-OAEP): the token wraps a random key that is
// used once, HKDF-SHA256 (RFC 5869) makes an encryption key of it, and AES-256-GCM (NIST SP 800-38D) under that
// encrypts what is to be wrapped, bound to the associated data.

import Crypto
import FoundationEssentials
import Glibc
import PosternProtocol

/// A random key that encrypts one thing.
struct OneTimeKey {
    static let byteCount = 32
    private static let info = Array("postern-pkcs11-one-time-v1".utf8)
    let bytes: SecretBytes

    init(_ bytes: SecretBytes) {
        self.bytes = bytes
    }

    static func random() -> OneTimeKey {
        OneTimeKey(unsafe SymmetricKey(size: .bits256).withUnsafeBytes { unsafe SecretBytes(copying: $0) })
    }

    /// Encrypts. Call it once for a key: the nonce is constant.
    /// - Returns: the ciphertext and its tag.
    func seal(_ plaintext: SecretBytes, binding: [UInt8]) throws(SecretError) -> [UInt8] {
        do {
            let box = try unsafe plaintext.withUnsafeBytes { bytes in
                try unsafe AES.GCM.seal(bytes, using: encryptionKey(), nonce: Self.nonce(), authenticating: binding)
            }
            return Array(box.ciphertext) + Array(box.tag)
        } catch {
            throw SecretError(.internalError, "A key could not be encrypted under a one-time key.")
        }
    }

    /// Decrypts; nil if the ciphertext or the binding is not the one.
    func open(_ sealed: ArraySlice<UInt8>, binding: [UInt8]) -> SecretBytes? {
        var plain: Data
        do {
            let box = try AES.GCM.SealedBox(
                nonce: Self.nonce(), ciphertext: sealed.dropLast(16), tag: sealed.suffix(16))
            plain = try AES.GCM.open(box, using: encryptionKey(), authenticating: binding)
        } catch {
            // What is wrong with it is of no interest: it does not open.
            return nil
        }
        defer {
            unsafe plain.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { unsafe explicit_bzero(base, bytes.count) }
            }
        }
        return unsafe plain.withUnsafeBytes { unsafe SecretBytes(copying: $0) }
    }

    private func encryptionKey() -> SymmetricKey {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: bytes), info: Self.info, outputByteCount: 32)
        }
    }

    private static func nonce() throws -> AES.GCM.Nonce {
        try AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 12))
    }
}
