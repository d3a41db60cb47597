// The settings of what lies behind the front ends: store, encryption, cache.

/// Where secrets are stored.
public enum BackendKind: String, Sendable, CaseIterable {
    /// A SQLite file on this machine.
    case sqlite
    /// The KV version 2 engine of Vault or OpenBao.
    case vault
}

/// Where a key-encryption key lives.
public enum KeyOrigin: String, Sendable, CaseIterable {
    /// A file on this machine; the value is its path.
    case file
    /// The Transit engine of Vault or OpenBao; the value is `mount/key`.
    case transit
    /// AWS KMS; the value is the ARN of a key or alias, or `alias/name`.
    case awsKMS = "aws_kms"
    /// Google Cloud KMS; the value is `projects/…/locations/…/keyRings/…/cryptoKeys/…`.
    case gcpKMS = "gcp_kms"
    /// An HSM; the value is the key's `pkcs11:` URI (RFC 7512).
    case pkcs11

    /// Whether a value has the form that names a key there. Whether it is there is found out when it is used.
    fileprivate func allows(_ value: String) -> Bool {
        guard !value.isEmpty, !value.contains("\0") else { return false }
        switch self {
        case .file:
            return true
        case .transit:
            // The key's name is the last part: the mount may have several.
            guard let slash = value.lastIndex(of: "/") else { return false }
            return slash != value.startIndex && value.last != "/"
        case .awsKMS:
            let isARN = value.hasPrefix("arn:") && value.contains(":kms:")
            let isNamed = [":key/", ":alias/"].contains { value.contains($0) } && value.last != "/"
            return isARN && isNamed || value.hasPrefix("alias/") && value.count > "alias/".count
        case .gcpKMS:
            let parts = value.split(separator: "/", omittingEmptySubsequences: false)
            let collections = ["projects", "locations", "keyRings", "cryptoKeys"]
            return parts.count == 8 && !parts.contains("")
                && zip(collections, stride(from: 0, to: 8, by: 2)).allSatisfy { parts[$1] == $0 }
        case .pkcs11:
            return PKCS11Text.namesKey(value)
        }
    }
}

/// One key-encryption key.
public struct KeySetting: Sendable, Hashable {
    /// Where it lives.
    public let origin: KeyOrigin
    /// Which it is, in the origin's terms.
    public let value: String

    /// Reads `origin=value`.
    init?(written text: String) {
        guard let equals = text.firstIndex(of: "="), let origin = KeyOrigin(rawValue: String(text[..<equals])) else {
            return nil
        }
        let value = String(text[text.index(after: equals)...])
        guard origin.allows(value) else { return nil }
        self.init(origin: origin, value: value)
    }

    init(origin: KeyOrigin, value: String) {
        self.origin = origin
        self.value = value
    }
}

enum BackendSettings {
    static let kind = Setting(
        "backend.kind", .choice(BackendKind.self), .means("sqlite"), "Where secrets are stored.")
    static let sqlitePath = Setting(
        "backend.sqlite.path", .path, .means(".postern/secrets.sqlite"), "The SQLite file.")

    static let section = Section(
        "backend", "The store.", [kind.erased, sqlitePath.erased] + VaultSettings.all)
}

enum EnvelopeSettings {
    static let enabled = Setting(
        "envelope.enabled", .boolean, .means("true"), "Whether secrets are encrypted before they reach the store.")
    static let keyFile = Setting(
        "envelope.key_file", .path, .means(".postern/kek"),
        "The file with the key-encryption key; 0600. Whoever has it and the store can read everything. Used where no "
            + "keys are listed.")
    static let keys = Setting(
        "envelope.keys", .keys, .means(""),
        "The key-encryption keys: new domain keys are wrapped under each, and any one opens them.")
    static let keyCache = Setting(
        "envelope.key_cache", .duration(.zero...GRPCSettings.maximum), .means("1h"),
        "How long unwrapped domain keys stay in memory.")
    static let verifyInterval = Setting(
        "envelope.verify_interval", .duration(.zero...GRPCSettings.maximum), .means("24h"),
        "How often it is proven that every key-encryption key opens what is wrapped under it; 0s means never.")
    static let rotateAfter = Setting(
        "envelope.rotate_after", .duration(.zero...longest), .means("0s"),
        "How old a domain key becomes before it is rotated by itself; 0s means never.")
    static let reencryptRate = Setting(
        "envelope.reencrypt_rate", .integer(0...1_000_000), .means("100"),
        "How many secrets a second a job on keys goes over at most, where its order does not say; 0 means no limit.")

    /// Ten years.
    private static let longest = Duration.seconds(10 * 365 * 86_400)

    static let section = Section(
        "envelope", "Encryption in front of the store.",
        [
            enabled.erased, keyFile.erased, keys.erased, keyCache.erased, verifyInterval.erased, rotateAfter.erased,
            reencryptRate.erased,
        ])
}

enum MigrationSettings {
    static let to = Setting(
        "migration.to", .path, .isFine(example: "postern-new.yaml"),
        "The configuration of the store that secrets are moving to, for as long as `postern migrate` moves them: all "
            + "gateways on the store have it, or none. Its environment variables start with POSTERN_TO_, as in "
            + "POSTERN_TO_VAULT_TOKEN.")

    static let section = Section("migration", "Moving to another store while serving (docs/migration.md).", [to.erased])
}

enum CacheSettings {
    static let enabled = Setting(
        "cache.enabled", .boolean, .means("true"), "Whether secrets read recently are kept in memory.")
    static let maxSecrets = Setting(
        "cache.max_secrets", .integer(1...10_000_000), .means("10000"), "The most versions kept.")
    static let maxBytes = Setting(
        "cache.max_bytes", .integer(65_536...68_719_476_736), .means("67108864"), "The most bytes kept.")
    static let ttl = Setting(
        "cache.ttl", .duration(.milliseconds(1)...GRPCSettings.maximum), .means("60s"),
        "How old an answer from memory may be.")
    static let refreshAhead = Setting(
        "cache.refresh_ahead", .duration(.zero...GRPCSettings.maximum), .means("10s"),
        "How long before that it is refreshed, if somebody reads it; less than the ttl.")
    static let maxStale = Setting(
        "cache.max_stale", .duration(.zero...GRPCSettings.maximum), .means("10m"),
        "How old an answer may be while the store is down; 0s means no stale answers.")

    static let section = Section(
        "cache", "The cache of recently read secrets. Every answer says where it came from and how old it is.",
        [
            enabled.erased, maxSecrets.erased, maxBytes.erased, ttl.erased, refreshAhead.erased, maxStale.erased,
        ])
}
