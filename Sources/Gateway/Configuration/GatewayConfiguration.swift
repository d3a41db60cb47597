// The configuration as the rest of the gateway sees it: typed, complete, checked.

public import PosternProtocol

/// The configuration of a gateway. Paths are resolved against the configuration file's folder.
public struct GatewayConfiguration: Sendable {
    /// The gRPC front end.
    public let grpc: GRPC
    /// The HTTPS admin API.
    public let admin: Admin
    /// The store.
    public let backend: Backend
    /// Encryption in front of the store.
    public let envelope: Envelope
    /// The configuration file of the store that secrets are moving to, if they are.
    public let migrationTarget: String?
    /// The cache of recently read secrets.
    public let cache: Cache
    /// The policy file.
    public let policyFile: String
    /// The audit log.
    public let audit: Audit
    /// Limits for both front ends.
    public let limits: Limits
    /// Logs.
    public let log: Log
    /// How long calls under way may take to finish when the gateway is stopped.
    public let shutdownGrace: Duration

    /// What the environment variables of ``migrationTarget`` start with: the rest is their usual name.
    public static let targetEnvironmentPrefix = "POSTERN_TO_"

    /// Where a server's private key is.
    public enum ServerKey: Sendable, Hashable {
        /// In this file.
        case file(String)
        /// In an HSM; a `pkcs11:` URI (RFC 7512) that names module, token and key.
        case pkcs11(String)
    }

    /// The gRPC front end.
    public struct GRPC: Sendable {
        /// Where services connect.
        public let listen: ListenAddress
        /// The server certificate's file.
        public let certificate: String
        /// The server's private key.
        public let key: ServerKey
        /// The file of the CAs that client certificates must lead to.
        public let clientCA: String
        /// Files of revocation lists.
        public let crl: [String]
        /// Whether overdue revocation lists are used with a warning.
        public let crlAllowExpired: Bool
        /// The deny list's file.
        public let denyList: String?
        /// The oldest TLS version that is accepted.
        public let minimumTLS: MinimumTLS
        /// Whether the common name of a certificate without other names counts as identity.
        public let allowCommonName: Bool
        /// The most connections at a time.
        public let maxConnections: Int
        /// The most calls at a time on one connection.
        public let maxStreams: Int
        /// The largest request message in bytes.
        public let maxMessageBytes: Int
        /// The largest header list of a request in bytes.
        public let maxHeaderBytes: Int
        /// How long a client may take for the TLS handshake.
        public let handshakeTimeout: Duration
        /// After how long a connection without calls is closed.
        public let idleTimeout: Duration
        /// After how long without a sign of life a connection is pinged.
        public let keepaliveInterval: Duration
        /// How long the answer to a ping may take.
        public let keepaliveTimeout: Duration
        /// After how long a connection is asked to reconnect; nil means never.
        public let maxConnectionAge: Duration?
        /// The deadline of a call that names none.
        public let defaultDeadline: Duration
        /// Whether clients may ask for the service descriptions.
        public let reflection: Bool
        /// How many event loops serve; nil means one for each core.
        public let threads: Int?
    }

    /// The HTTPS admin API.
    public struct Admin: Sendable {
        /// Where people connect.
        public let listen: ListenAddress
        /// The server certificate's file.
        public let certificate: String
        /// The server's private key.
        public let keyFile: ServerKey
        /// The unnamed admin key.
        public let key: SecretBytes?
        /// Named admin keys as hashes.
        public let keys: [NamedKeyHash]
        /// The origins of web pages that may call the API.
        public let allowedOrigins: [String]
        /// The largest request body in bytes.
        public let maxBodyBytes: Int
        /// How long a request may take.
        public let requestTimeout: Duration
        /// How many failed logins a minute an address may have before it must wait.
        public let maxFailuresPerMinute: Int
        /// The oldest TLS version that is accepted.
        public let minimumTLS: MinimumTLS
    }

    /// The store.
    public struct Backend: Sendable {
        /// Where secrets are stored.
        public let kind: BackendKind
        /// The SQLite file.
        public let sqlitePath: String
        /// Vault or OpenBao.
        public let vault: Vault
    }

    /// Encryption in front of the store.
    public struct Envelope: Sendable {
        /// Whether secrets are encrypted before they reach the store.
        public let enabled: Bool
        /// The key-encryption keys, at least one.
        public let keys: [KeySetting]
        /// How long unwrapped domain keys stay in memory.
        public let keyCache: Duration
        /// How often every key-encryption key is checked; nil for never.
        public let verifyInterval: Duration?
        /// How old a domain key becomes before it is rotated; nil for as old as it likes.
        public let rotateAfter: Duration?
        /// How many secrets a second a job on keys goes over at most; 0 for no limit.
        public let reencryptRate: Int
    }

    /// The cache of recently read secrets.
    public struct Cache: Sendable {
        /// Whether there is one.
        public let enabled: Bool
        /// The most versions kept.
        public let maxSecrets: Int
        /// The most bytes kept.
        public let maxBytes: Int
        /// How old an answer from memory may be.
        public let ttl: Duration
        /// How long before that it is refreshed, if somebody reads it.
        public let refreshAhead: Duration
        /// How old an answer may be while the store is down.
        public let maxStale: Duration
    }

    /// The audit log.
    public struct Audit: Sendable {
        /// Its folder.
        public let directory: String
        /// The size in bytes at which a new segment is begun.
        public let segmentBytes: Int
        /// What its checkpoints call it; nil for a name made of the host's.
        public let origin: String?
        /// The file of the key that signs checkpoints; nil for one in the folder.
        public let signingKey: String?
        /// How often what was recorded since is published, and a checkpoint signed.
        public let checkpointInterval: Duration
        /// How long records are kept at least; nil for ever.
        public let retention: Duration?
        /// Whether they are kept beyond that, for now.
        public let legalHold: Bool
        /// Where they are delivered to.
        public let sinks: [SinkSetting]
    }

    /// Limits for both front ends.
    public struct Limits: Sendable {
        /// The largest secret in bytes, names and values together.
        public let maxPayloadBytes: Int
        /// The longest a call may take, whatever deadline it names.
        public let maxDeadline: Duration
    }

    /// Logs.
    public struct Log: Sendable {
        /// How much is logged.
        public let level: LogLevel
        /// How log lines look.
        public let format: LogFormat
    }
}
