// The contract that hides storage. Front ends, policy and audit know only this; Vault, SQLite and the
// Envelope in front of them implement it, and the BackendConformance suite holds all of them to it.

/// A store of versioned secrets, with the semantics of Vault's KV v2.
///
/// Rules that every implementation keeps:
/// - Version numbers count from 1 and grow by one with each write; after ``remove(_:deadline:)`` they
///   start at 1 again. Etags are never used twice.
/// - A write may say which version it expects (compare-and-set): 0 for "must not exist". A soft-deleted
///   or destroyed version is still the current one. A lost race throws `conflict` with the version that
///   is there.
/// - Nothing is half done: an operation that throws has either changed nothing or, where the store gave
///   no answer in time, throws `deadline_exceeded`, `cancelled` or `backend_unavailable`.
/// - Once `write` has returned, its version survives a crash of the gateway and of the machine.
/// - A call whose deadline has passed, or whose task is cancelled, throws `deadline_exceeded` or
///   `cancelled` and does not start.
/// - Beside those listed at each method, `backend_unavailable`, `backend_sealed`, `integrity_failure`
///   and `internal` may be thrown by any.
public protocol SecretBackend: Sendable {
    /// A short name for logs, health and metrics, as in `sqlite` or `envelope(vault)`.
    var name: String { get }

    /// Reads a version with its payload.
    /// - Parameters:
    ///   - path: the secret.
    ///   - version: a version's number, or nil for the current one.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `not_found`, `version_deleted`, `version_destroyed`.
    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion

    /// Writes a new version, and creates the secret with its first.
    /// - Parameters:
    ///   - path: the secret.
    ///   - payload: its new fields.
    ///   - expecting: the version that must be current, 0 for none, or nil to write in any case.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: the version written.
    /// - Throws: `conflict`; `invalid_argument` if the secret requires `expecting` and it is nil.
    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo

    /// Soft-deletes versions. Those already deleted or destroyed stay as they are.
    /// - Parameters:
    ///   - path: the secret.
    ///   - versions: the versions' numbers; empty for the current one.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `not_found` if the secret or one of the versions is not there (then none is changed).
    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError)

    /// Makes soft-deleted versions readable again. Those not deleted stay as they are.
    /// - Parameters:
    ///   - path: the secret.
    ///   - versions: the versions' numbers, at least one.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `not_found`, `version_destroyed` (then none is changed), `invalid_argument` if empty.
    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError)

    /// Removes the data of versions for good. Those already destroyed stay as they are.
    /// - Parameters:
    ///   - path: the secret.
    ///   - versions: the versions' numbers, at least one.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `not_found` (then none is changed), `invalid_argument` if empty.
    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError)

    /// Removes a secret with all its versions and metadata.
    /// - Throws: `not_found`.
    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError)

    /// Lists secrets below a prefix, whether or not their versions are deleted, a page at a time, ordered
    /// by the bytes of the entries' keys. The cost is that of a page.
    /// - Parameters:
    ///   - query: what to list.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: a page, empty where there is nothing.
    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList

    /// Describes a secret and its versions.
    /// - Throws: `not_found`.
    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription

    /// Changes a secret's settings and labels. Lowering `maxVersions` takes effect with the next write.
    /// - Parameters:
    ///   - path: the secret.
    ///   - change: what to change.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: the secret after the change.
    /// - Throws: `not_found`, `invalid_argument` for values outside their limits.
    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription

    /// Says whether the store can serve now. Does not throw: an answer is the point.
    func health(deadline: Deadline) async -> BackendHealth

    /// The same store as the bearer of one of its own credentials sees it, so that its own rules decide too.
    ///
    /// By default there is none. Decorators ask the store behind them, and keep what they promise in front of its
    /// view: above all, what was learnt with one credential is not told to another.
    /// - Parameters:
    ///   - credential: what the store knows a user by.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `unauthenticated` if the store does not know the credential, `invalid_argument` if it knows none.
    func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView
}

/// What to list.
public struct ListQuery: Sendable, Equatable {
    /// The largest page.
    public static let maximumLimit = 1_000

    /// Where to look.
    public let prefix: PathPrefix
    /// Whether to list all secrets below, or only direct children (secrets and folders).
    public let recursive: Bool
    /// Only keys after this one, in byte order; a page's `next`. Nil for the first page.
    public let after: String?
    /// The most entries in a page.
    public let limit: Int

    /// Makes a query.
    /// - Throws: `invalid_argument` if `limit` is not 1 to ``maximumLimit``.
    public init(
        prefix: PathPrefix = .root, recursive: Bool = false, after: String? = nil, limit: Int = 100
    ) throws(SecretError) {
        guard (1...Self.maximumLimit).contains(limit) else {
            throw SecretError(.invalidArgument, "A page has 1 to \(Self.maximumLimit) entries, not \(limit).")
        }
        self.prefix = prefix
        self.recursive = recursive
        self.after = after
        self.limit = limit
    }
}

/// Whether a backend can serve.
public struct BackendHealth: Sendable, Equatable {
    /// Whether reads and writes are expected to work.
    public let isReady: Bool
    /// What a person should know, as in `sealed` or `ok`; no secret.
    public let detail: String

    /// Makes a health report.
    public init(isReady: Bool, detail: String) {
        self.isReady = isReady
        self.detail = detail
    }
}
