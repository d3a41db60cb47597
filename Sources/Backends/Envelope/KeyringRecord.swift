// A domain's record in the keyring: its keys, wrapped. docs/envelope-format.md describes it.

import FoundationEssentials
import PosternProtocol

/// What is stored, as JSON in the field `value`, under ``path(of:)``. Holds nothing secret in the clear.
///
/// It has room for more than it holds today: a key for each rotation of the domain key, and for each key a
/// wrap under every key-encryption key that may open it.
struct KeyringRecord: Codable, Equatable {
    static let formatName = "postern-keyring-v1"
    /// What the associated data of wrapped domain keys starts with.
    static let bindingName = "postern-domain-key-v1"

    /// One domain key, wrapped.
    struct Key: Codable, Equatable {
        let version: UInt32
        let id: String
        let createdAt: String
        var supersededAt: String?
        var retiredAt: String?
        var destroyedAt: String?
        var wraps: [Wrap]

        enum CodingKeys: String, CodingKey {
            case version, id, wraps
            case createdAt = "created_at"
            case supersededAt = "superseded_at"
            case retiredAt = "retired_at"
            case destroyedAt = "destroyed_at"
        }

        /// The key's name, unless the id is not one.
        var name: DomainKeyName? { DomainKeyID(hex: id).map { DomainKeyName(id: $0, version: version) } }
    }

    /// A domain key under one key-encryption key.
    struct Wrap: Codable, Equatable {
        let kek: String
        let algorithm: String
        let origin: String
        /// In base64.
        let blob: Data
        var wrappedAt: String?

        enum CodingKeys: String, CodingKey {
            case kek, algorithm, origin, blob
            case wrappedAt = "wrapped_at"
        }
    }

    /// A request to destroy the domain's keys; once approved, they are.
    struct Destruction: Codable, Equatable {
        let requestedAt: String
        let requestedBy: String
        let expiresAt: String
        var approvedAt: String?
        var approvedBy: String?

        enum CodingKeys: String, CodingKey {
            case requestedAt = "requested_at"
            case requestedBy = "requested_by"
            case expiresAt = "expires_at"
            case approvedAt = "approved_at"
            case approvedBy = "approved_by"
        }
    }

    let format: String
    let domain: String
    /// The version that new envelopes use.
    var current: UInt32
    var keys: [Key]
    var destruction: Destruction?

    /// The key that new envelopes use; `parse` has made sure that there is one.
    var currentKey: Key? { keys.first { $0.version == current } }

    /// The key that an envelope names.
    func key(_ name: DomainKeyName) -> Key? { keys.first { $0.name == name } }

    /// Where a domain's record is stored. A domain too long to be a segment below `.postern/keyring` is stored
    /// under the SHA-256 of its name instead.
    static func path(of domain: String, digest: (String) -> String) throws(SecretError) -> SecretPath {
        domain.utf8.count <= 400
            ? try .reserved("keyring/\(domain)") : try .reserved("keyring-long/\(digest(domain))")
    }

    /// What a wrapped domain key is bound to.
    static func associatedData(domain: String, key: DomainKeyName) -> [UInt8] {
        var data: [UInt8] = []
        data.append(prefixed: bindingName)
        data.append(prefixed: domain)
        data += key.id.bytes
        data.append(bigEndian: key.version)
        return data
    }

    /// The record as it is stored.
    func payload() throws(SecretError) -> Payload {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try Payload(value: SecretBytes(copying: encoder.encode(self)))
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.internalError, "The key record of domain \(domain) could not be encoded.")
        }
    }

    /// Reads a stored record.
    /// - Parameter domain: whose it must be; nil to take the record's word for it.
    /// - Throws: `integrity_failure` if it is not a whole record of this domain.
    static func parse(_ payload: Payload, domain: String?) throws(SecretError) -> KeyringRecord {
        func damaged(_ why: String) -> SecretError {
            SecretError(
                .integrityFailure,
                "The key record of domain \(domain ?? "with a long name") is damaged: \(why). Restore it from a "
                    + "backup of the store.")
        }
        guard let value = payload[Payload.valueField] else { throw damaged("it has no field \"value\"") }
        let record: KeyringRecord
        do {
            record = try value.withUnsafeBytes { try JSONDecoder().decode(KeyringRecord.self, from: Data($0)) }
        } catch {
            // The decoder's own words may quote the record; they help nobody here.
            throw damaged("it is not the JSON it should be")
        }
        guard record.format == formatName else { throw damaged("it is not of format \(formatName)") }
        guard domain == nil || record.domain == domain else { throw damaged("it belongs to another domain") }
        guard record.keys.allSatisfy({ $0.name != nil && $0.version > 0 }) else {
            throw damaged("a key's id or version is not one")
        }
        guard Set(record.keys.map(\.version)).count == record.keys.count else {
            throw damaged("two keys have one version")
        }
        guard record.currentKey != nil else { throw damaged("the current key is not in it") }
        return record
    }
}
