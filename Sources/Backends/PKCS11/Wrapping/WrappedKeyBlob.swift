// The bytes of a key wrapped by a token: format, key id, mechanism, and what the mechanism needs. docs/key-wrapping.md.

import PosternProtocol

/// What is in front of every wrapped key.
struct WrappedKeyHeader {
    private static let format: UInt8 = 1
    static let context = Array("postern-pkcs11-wrap-v1".utf8)
    static let maximumIDBytes = 255

    let bytes: [UInt8]

    /// - Parameter id: the key's id, at most 255 bytes.
    init(id: String, mechanism: PKCS11WrapMechanism) {
        bytes = [Self.format, UInt8(truncatingIfNeeded: id.utf8.count)] + Array(id.utf8) + [mechanism.rawValue]
    }

    /// What the ciphertext is bound to: the context, everything in front of it, and the caller's data.
    func binding(_ more: [UInt8] = [], _ associatedData: [UInt8]) -> [UInt8] {
        Self.context + bytes + more + associatedData
    }

    /// Reads the header of a blob.
    /// - Returns: the mechanism, and what follows the header.
    /// - Throws: `integrity_failure` if it is not a blob, or was wrapped under another key.
    static func read(
        _ blob: [UInt8], id: String
    ) throws(SecretError) -> (mechanism: PKCS11WrapMechanism, body: ArraySlice<UInt8>) {
        guard blob.count >= 2, blob[0] == format else {
            throw SecretError(.integrityFailure, "This is not a key wrapped by a token (this one is \(id)).")
        }
        let named = blob.dropFirst(2).prefix(Int(blob[1]))
        guard named.elementsEqual(id.utf8) else {
            // Only what looks like an id may go into a message.
            let isID = named.count == Int(blob[1]) && !named.isEmpty && named.allSatisfy { (0x21...0x7E).contains($0) }
            let other = isID ? String(decoding: named, as: UTF8.self) : "something unreadable"
            throw SecretError(
                .integrityFailure, "The key was wrapped under \(other), but this token's key is \(id). Use the other.")
        }
        let rest = blob.dropFirst(2 + named.count)
        guard let number = rest.first, let mechanism = PKCS11WrapMechanism(rawValue: number) else {
            throw damaged(id)
        }
        return (mechanism, rest.dropFirst())
    }

    /// The error of a blob that does not open.
    static func damaged(_ id: String) -> SecretError {
        SecretError(
            .integrityFailure,
            "A key wrapped under \(id) does not open: it was changed, or was wrapped for something else.")
    }
}
