// The bytes of a key wrapped under a key file: format, key id, nonce, ciphertext, tag.

import Crypto
import FoundationEssentials
import Glibc
import PosternProtocol

enum WrappedKey {
    private static let format: UInt8 = 1
    private static let maximumKeyBytes = 64
    private static let nonceBytes = 12
    private static let tagBytes = 16

    /// Encrypts a key with a random nonce.
    static func seal(
        _ key: SecretBytes, under kek: SymmetricKey, id: String, associatedData: [UInt8]
    ) throws(SecretError) -> [UInt8] {
        guard (1...maximumKeyBytes).contains(key.count) else {
            throw SecretError(.internalError, "A key to wrap has 1 to \(maximumKeyBytes) bytes, not \(key.count).")
        }
        let header = header(id)
        do {
            let box = try key.withUnsafeBytes { bytes in
                try AES.GCM.seal(bytes, using: kek, authenticating: binding(header, associatedData))
            }
            return header + Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
        } catch {
            throw SecretError(.internalError, "A key could not be wrapped under \(id).")
        }
    }

    /// Decrypts a wrapped key.
    static func open(
        _ blob: [UInt8], with kek: SymmetricKey, id: String, associatedData: [UInt8]
    ) throws(SecretError) -> SecretBytes {
        let header = header(id)
        guard blob.starts(with: header) else { throw mismatch(blob, id: id) }
        let body = blob.dropFirst(header.count)
        let keyBytes = body.count - nonceBytes - tagBytes
        guard (1...maximumKeyBytes).contains(keyBytes) else {
            throw SecretError(.integrityFailure, "A key wrapped under \(id) has the wrong length; it was changed.")
        }
        var plain: Data
        do {
            plain = try AES.GCM.open(
                AES.GCM.SealedBox(combined: body), using: kek, authenticating: binding(header, associatedData))
        } catch {
            throw SecretError(
                .integrityFailure,
                "A key wrapped under \(id) does not open: it was changed, or was wrapped for something else.")
        }
        defer {
            plain.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
            }
        }
        return plain.withUnsafeBytes { SecretBytes(copying: $0) }
    }

    private static func header(_ id: String) -> [UInt8] {
        // Ids are `file:` and 16 digits, far below 256 bytes.
        [format, UInt8(truncatingIfNeeded: id.utf8.count)] + Array(id.utf8)
    }

    /// What the ciphertext is bound to: the header cannot be changed either.
    private static func binding(_ header: [UInt8], _ associatedData: [UInt8]) -> [UInt8] {
        Array("postern-local-wrap-v1".utf8) + header + associatedData
    }

    private static func mismatch(_ blob: [UInt8], id: String) -> SecretError {
        guard blob.first == format, blob.count >= 2 else {
            return SecretError(.integrityFailure, "This is not a key wrapped by a key file (this one is \(id)).")
        }
        let other = blob.dropFirst(2).prefix(Int(blob[1]))
        // Only what looks like an id may go into a message.
        let isID = other.count == Int(blob[1]) && !other.isEmpty && other.allSatisfy { (0x21...0x7E).contains($0) }
        let found = isID ? String(decoding: other, as: UTF8.self) : "something unreadable"
        return SecretError(
            .integrityFailure, "The key was wrapped under \(found), but this key file is \(id). Use the other file.")
    }
}
