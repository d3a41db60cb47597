// What Vault says of a Transit key: what kind it is, and which of its versions may be used.

import PosternCoding
import PosternProtocol

/// A key in Transit.
struct TransitKey: Equatable {
    var type = ""
    var isDerived = false
    var isSoftDeleted = false
    var latestVersion = 0
    /// The oldest version that may decrypt.
    var minimumVersion = 0
    /// The oldest version that is still there; those before it were trimmed away for good.
    var oldestVersion = 0

    init() {}

    /// Reads the answer to `transit/keys/<key>`.
    /// - Throws: `backend_unavailable` if it makes no sense.
    init(_ answer: VaultAnswer) throws(SecretError) {
        var key = TransitKey()
        try answer.read(in: "data") { (json, name) throws(SecretError) in
            switch name {
            case "type": key.type = try json.string(name)
            case "derived": key.isDerived = try json.boolean(name)
            case "soft_deleted": key.isSoftDeleted = try json.boolean(name)
            case "latest_version": key.latestVersion = try json.integer(name)
            case "min_decryption_version": key.minimumVersion = try json.integer(name)
            case "min_available_version": key.oldestVersion = try json.integer(name)
            default: _ = try json.raw(name)
            }
        }
        self = key
    }

    /// The algorithms that bind what they encrypt to associated data, with keys of 256 bits, by Transit's names for them.
    private static let algorithms = [
        "aes256-gcm96": "AES-256-GCM", "chacha20-poly1305": "ChaCha20-Poly1305",
        "xchacha20-poly1305": "XChaCha20-Poly1305",
    ]

    /// The algorithm as others name it; Transit's own name where the key cannot wrap keys.
    var algorithm: String { Self.algorithms[type] ?? shown(type) }

    /// Why it cannot wrap keys, or nil if it can.
    var problem: String? {
        if Self.algorithms[type] == nil {
            return "it is of type \(shown(type)), which cannot bind a wrapped key to its place; make one of type "
                + "aes256-gcm96 or chacha20-poly1305"
        }
        if isDerived { return "it was made with derived=true, which needs a context for each use; make one without" }
        if isSoftDeleted { return "it is soft-deleted; restore it in Vault" }
        return nil
    }
}
