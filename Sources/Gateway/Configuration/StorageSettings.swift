// The settings of what lies behind the front ends: store, encryption, cache.

/// Where secrets are stored.
public enum BackendKind: String, Sendable, CaseIterable {
    /// A SQLite file on this machine.
    case sqlite
}

enum BackendSettings {
    static let kind = Setting(
        "backend.kind", .choice(BackendKind.self), .means("sqlite"), "Where secrets are stored.")
    static let sqlitePath = Setting(
        "backend.sqlite.path", .path, .means(".postern/secrets.sqlite"), "The SQLite file.")
    static let vaultAddress = Setting(
        "backend.vault.address", .httpAddress, .isFine(example: "https://vault.example.org:8200"),
        alias: "VAULT_ADDR", "The address of Vault or OpenBao. Not used by the sqlite backend.")
    static let vaultToken = Setting(
        "backend.vault.token", .secret, .isFine(example: ""), alias: "VAULT_TOKEN",
        "The token for it. Give it in the environment rather than here.")

    static let section = Section(
        "backend", "The store.", [kind.erased, sqlitePath.erased, vaultAddress.erased, vaultToken.erased])
}

enum EnvelopeSettings {
    static let enabled = Setting(
        "envelope.enabled", .boolean, .means("true"), "Whether secrets are encrypted before they reach the store.")
    static let keyFile = Setting(
        "envelope.key_file", .path, .means(".postern/kek"),
        "The file with the key-encryption key; 0600. Whoever has it and the store can read everything.")
    static let keyCache = Setting(
        "envelope.key_cache", .duration(.zero...GRPCSettings.maximum), .means("1h"),
        "How long unwrapped domain keys stay in memory.")

    static let section = Section(
        "envelope", "Encryption in front of the store.", [enabled.erased, keyFile.erased, keyCache.erased])
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
