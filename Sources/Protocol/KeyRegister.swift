// The register of keys: what an auditor asks for. Holds names and dates, never key bytes, wrapped or not.

/// Every key that protects a store: domain keys with their versions, and the keys that wrap them.
public struct KeyRegister: Sendable, Equatable, Codable {
    /// What a key is good for.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// New secrets are encrypted under it.
        case active
        /// A newer version took its place; what was encrypted under it is still read.
        case superseded
        /// Superseded, and found to be named by nothing in the store.
        case retired
        /// Its wraps are gone; nothing under it can ever be read.
        case destroyed
    }

    /// A domain key under one key-encryption key.
    public struct Wrap: Sendable, Equatable, Codable {
        /// The key-encryption key's id.
        public var kek: String
        /// Its algorithm, as in `AES-256-GCM`.
        public var algorithm: String
        /// Where it lives, as in `file`.
        public var origin: String
        /// When this wrap was made; nil in records from before that was noted.
        public var wrappedAt: Timestamp?

        /// Describes a wrap.
        public init(kek: String, algorithm: String, origin: String, wrappedAt: Timestamp?) {
            self.kek = kek
            self.algorithm = algorithm
            self.origin = origin
            self.wrappedAt = wrappedAt
        }
    }

    /// One version of a domain's key.
    public struct DomainKey: Sendable, Equatable, Codable {
        /// The version, from 1.
        public var version: Int
        /// The random id, 32 hexadecimal digits.
        public var id: String
        /// What it is good for.
        public var state: State
        /// When it was made, and put to use.
        public var createdAt: Timestamp?
        /// When a newer version took its place.
        public var supersededAt: Timestamp?
        /// When it was found to be named by nothing.
        public var retiredAt: Timestamp?
        /// When its wraps were removed.
        public var destroyedAt: Timestamp?
        /// The key-encryption keys that open it.
        public var wraps: [Wrap]

        /// Describes a version.
        public init(
            version: Int, id: String, state: State, createdAt: Timestamp?, supersededAt: Timestamp?,
            retiredAt: Timestamp?, destroyedAt: Timestamp?, wraps: [Wrap]
        ) {
            self.version = version
            self.id = id
            self.state = state
            self.createdAt = createdAt
            self.supersededAt = supersededAt
            self.retiredAt = retiredAt
            self.destroyedAt = destroyedAt
            self.wraps = wraps
        }
    }

    /// A request to destroy a domain's key, and what became of it.
    public struct Destruction: Sendable, Equatable, Codable {
        /// When it was asked for.
        public var requestedAt: Timestamp
        /// Who asked: a principal's name.
        public var requestedBy: String
        /// Until when somebody else may approve.
        public var expiresAt: Timestamp
        /// When it was approved and done; nil while it waits.
        public var approvedAt: Timestamp?
        /// Who approved: another principal's name.
        public var approvedBy: String?

        /// Describes a request.
        public init(
            requestedAt: Timestamp, requestedBy: String, expiresAt: Timestamp, approvedAt: Timestamp? = nil,
            approvedBy: String? = nil
        ) {
            self.requestedAt = requestedAt
            self.requestedBy = requestedBy
            self.expiresAt = expiresAt
            self.approvedAt = approvedAt
            self.approvedBy = approvedBy
        }
    }

    /// A domain (first path segment) and its keys.
    public struct Domain: Sendable, Equatable, Codable {
        /// The domain's name.
        public var name: String
        /// The version that new secrets are encrypted under.
        public var current: Int
        /// All versions, oldest first.
        public var keys: [DomainKey]
        /// When the key is next rotated by itself; nil where that is not configured or cannot be.
        public var nextRotation: Timestamp?
        /// The request to destroy the key, if there is one.
        public var destruction: Destruction?

        /// Describes a domain.
        public init(
            name: String, current: Int, keys: [DomainKey], nextRotation: Timestamp?, destruction: Destruction?
        ) {
            self.name = name
            self.current = current
            self.keys = keys
            self.nextRotation = nextRotation
            self.destruction = destruction
        }
    }

    /// A key-encryption key.
    public struct KeyEncryptionKey: Sendable, Equatable, Codable {
        /// Its id.
        public var id: String
        /// Its algorithm.
        public var algorithm: String
        /// Where it lives.
        public var origin: String
        /// Whether this gateway is configured to use it.
        public var configured: Bool
        /// How many versions of domain keys are wrapped under it.
        public var wraps: Int
        /// When a gateway first used it.
        public var firstSeen: Timestamp?
        /// When domain keys were last wrapped anew under it.
        public var rotatedAt: Timestamp?
        /// When the last wraps under it were dropped.
        public var retiredAt: Timestamp?
        /// What the last check of this gateway found: whether it opens all that is wrapped under it.
        public var verified: Bool?
        /// When that check was.
        public var verifiedAt: Timestamp?

        /// Describes a key-encryption key.
        public init(
            id: String, algorithm: String, origin: String, configured: Bool, wraps: Int, firstSeen: Timestamp?,
            rotatedAt: Timestamp?, retiredAt: Timestamp?, verified: Bool?, verifiedAt: Timestamp?
        ) {
            self.id = id
            self.algorithm = algorithm
            self.origin = origin
            self.configured = configured
            self.wraps = wraps
            self.firstSeen = firstSeen
            self.rotatedAt = rotatedAt
            self.retiredAt = retiredAt
            self.verified = verified
            self.verifiedAt = verifiedAt
        }
    }

    /// The domains, ordered by name.
    public var domains: [Domain]
    /// The key-encryption keys, ordered by id.
    public var keks: [KeyEncryptionKey]

    /// Makes a register.
    public init(domains: [Domain], keks: [KeyEncryptionKey]) {
        self.domains = domains
        self.keks = keks
    }
}

/// What a check of all key-encryption keys found.
public struct KeyVerification: Sendable, Equatable, Codable {
    /// How one key-encryption key did.
    public struct Result: Sendable, Equatable, Codable {
        /// The key-encryption key's id.
        public var kek: String
        /// Whether it opened every version of every domain key, to the same bytes as the others.
        public var ok: Bool
        /// How many it opened.
        public var opened: Int
        /// How many it did not open, or to other bytes.
        public var failed: Int
        /// How many are not wrapped under it; `rewrap` mends that.
        public var missing: Int
        /// The first failure, in words.
        public var problem: String?

        /// Describes a result.
        public init(
            kek: String, ok: Bool = true, opened: Int = 0, failed: Int = 0, missing: Int = 0, problem: String? = nil
        ) {
            self.kek = kek
            self.ok = ok
            self.opened = opened
            self.failed = failed
            self.missing = missing
            self.problem = problem
        }
    }

    /// When the check ended.
    public var verifiedAt: Timestamp
    /// How many domains were checked.
    public var domains: Int
    /// Each configured key-encryption key.
    public var keks: [Result]

    /// Makes a report.
    public init(verifiedAt: Timestamp, domains: Int, keks: [Result]) {
        self.verifiedAt = verifiedAt
        self.domains = domains
        self.keks = keks
    }

    /// Whether all is well.
    public var isGood: Bool { keks.allSatisfy(\.ok) }
}
