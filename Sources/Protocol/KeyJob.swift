// Work on keys that takes longer than a request: kept in the store, so that whichever gateway lives goes on with it.

/// What a job is to do.
public struct KeyJobOrder: Sendable, Equatable, Codable {
    /// The kinds of work.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Wraps every domain key anew under each configured key-encryption key.
        case rewrap
        /// Writes secrets that are under an older domain key again under the current one.
        case reencrypt
        /// Counts which domain-key versions the kept versions of secrets name.
        case references
    }

    /// The kind of work.
    public var kind: Kind
    /// Where: a domain for `rewrap` and `references`, a prefix for `reencrypt`; nil for everywhere.
    public var scope: String?
    /// Only count what there is to do.
    public var dryRun: Bool
    /// `reencrypt`: also destroy versions under older domain keys, once the current one is moved.
    public var destroyOld: Bool
    /// `rewrap`: also drop wraps under key-encryption keys that are not configured any more.
    public var dropUnconfigured: Bool
    /// How many secrets a second at most; 0 for as many as can be, nil for what the gateway is configured to.
    public var rate: Int?

    /// Makes an order.
    public init(
        _ kind: Kind, scope: String? = nil, dryRun: Bool = false, destroyOld: Bool = false,
        dropUnconfigured: Bool = false, rate: Int? = nil
    ) {
        self.kind = kind
        self.scope = scope
        self.dryRun = dryRun
        self.destroyOld = destroyOld
        self.dropUnconfigured = dropUnconfigured
        self.rate = rate
    }
}

/// A job and how far it is.
public struct KeyJob: Sendable, Equatable, Codable {
    /// How a job is.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// Under way, or waiting for a gateway to go on with it.
        case running
        /// Done, and everything in it.
        case done
        /// Done, but some of it could not be; `problems` says what.
        case failed
    }

    /// How often the kept versions of a domain's secrets name a version of its key.
    public struct Reference: Sendable, Equatable, Codable {
        /// The domain.
        public var domain: String
        /// The domain key's version.
        public var version: Int
        /// How many kept versions of secrets name it.
        public var count: Int
        /// How many soft-deleted versions, which cannot be looked into, may name it.
        public var possible: Int

        /// Describes references.
        public init(domain: String, version: Int, count: Int, possible: Int) {
            self.domain = domain
            self.version = version
            self.count = count
            self.possible = possible
        }
    }

    /// The most problems that are kept in words.
    public static let maximumProblems = 20

    /// The job's id.
    public var id: String
    /// What it is to do.
    public var order: KeyJobOrder
    /// How it is.
    public var state: State
    /// Who ordered it: a principal's name.
    public var createdBy: String
    /// When it was ordered.
    public var createdAt: Timestamp
    /// When something was last noted.
    public var updatedAt: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp?
    /// How many secrets or domains there were when it began; nil until counted.
    public var total: Int?
    /// How many it has gone over.
    public var seen = 0
    /// How many it changed, or in a dry run would change.
    public var changed = 0
    /// How many needed no change.
    public var upToDate = 0
    /// How many were passed over: deleted, expiring by themselves, gone meanwhile.
    public var skipped = 0
    /// How many could not be changed.
    public var failed = 0
    /// How many older versions it destroyed.
    public var destroyedVersions = 0
    /// What went wrong, as far as it is kept in words.
    public var problems: [String] = []
    /// What a transient failure said, while the job waits to try again.
    public var waitingFor: String?
    /// What a job of kind `references` found.
    public var references: [Reference] = []

    /// Makes a job that has not begun.
    public init(id: String, order: KeyJobOrder, createdBy: String, createdAt: Timestamp) {
        self.id = id
        self.order = order
        self.state = .running
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.updatedAt = createdAt
    }
}
