// Digests over all secrets in order: two stores with the same digest hold the same.

import Crypto
import PosternProtocol

/// Sums up accounts of secrets, in order.
struct AccountDigest {
    private var hash = SHA256()
    private var values: HMAC<SHA256>

    /// Makes a digest.
    /// - Parameter key: for values: whoever does not have it can test no guess at one against the digest.
    init(key: SymmetricKey) {
        values = HMAC<SHA256>(key: key)
    }

    /// Adds a secret: one line for it and one for each version.
    mutating func add(_ account: SecretCopier.Account) {
        let described = account.description
        let metadata = described.metadata
        let labels = metadata.labels.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        var lines = [
            "\(described.path) \(described.currentVersion) \(described.createdAt) \(metadata.maxVersions) "
                + "\(metadata.deleteVersionAfterSeconds) \(metadata.casRequired) "
                + labels.map { "\($0.key.utf8.count):\($0.key)=\($0.value.utf8.count):\($0.value)" }.joined(
                    separator: " ")
        ]
        for version in described.versions {
            let deletesAt = version.state == .destroyed ? nil : version.deletesAt
            lines.append(
                "\(version.number) \(version.createdAt) \(version.state.rawValue) \(deletesAt.map { "\($0)" } ?? "-")")
        }
        for line in lines {
            let bytes = Array((line + "\n").utf8)
            hash.update(data: bytes)
            values.update(data: bytes)
        }
        for (_, digest) in account.payloads.sorted(by: { $0.key < $1.key }) { values.update(data: digest) }
    }

    /// The digest without values, in hexadecimal digits.
    var text: String { hash.finalize().hexadecimal }
    /// The keyed digest with values.
    var valuesText: String { values.finalize().hexadecimal }

    /// A keyed digest of one payload.
    static func of(_ payload: Payload, key: SymmetricKey) -> [UInt8] {
        var hash = HMAC<SHA256>(key: key)
        for field in payload.fields {
            hash.update(data: Array("\(field.name.utf8.count):\(field.name)=\(field.value.count):".utf8))
            field.value.withUnsafeBytes { hash.update(data: $0) }
        }
        return Array(hash.finalize())
    }
}
