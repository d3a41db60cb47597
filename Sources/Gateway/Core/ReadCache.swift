// A backend in front of another that remembers recently read secrets, so that reads stay fast and go on
// through an outage of the store. It never hides that: every answer says where it came from and how old it is.

import PosternConcurrency
public import PosternProtocol

/// Remembers the current versions of recently read secrets.
///
/// - Within `timeToLive` a read is answered from memory; shortly before its end the entry is refreshed in the
///   background, so that a secret in steady use is never waited for.
/// - Past it, the store is asked again. While the store cannot answer, the last answer is served, up to
///   `maximumStaleness` old, and marked ``Freshness/stale(age:)``.
/// - Any change through the cache drops what it knows of the secret, before and after.
/// - Reads of one secret that miss at the same time ask the store once.
/// - A view for a credential shares the memory, but is told of a secret only what the store has given to that same
///   credential, for the same times. So a credential that is revoked in the store opens nothing after `timeToLive`, or
///   after `maximumStaleness` if the store cannot be reached all that time. What only credentials were given, the gateway
///   is not told with its own access either.
public final class ReadCache: SecretBackend {
    /// How the cache behaves.
    public struct Options: Sendable {
        /// The most secrets to remember.
        public var maximumSecrets = 10_000
        /// The most payload bytes to remember.
        public var maximumBytes = 64 << 20
        /// The most credentials to remember, by their digests.
        public var maximumCredentials = 10_000
        /// The most pairs of a credential and a secret that the store has given it to remember.
        public var maximumAcceptances = 100_000
        /// How long an answer is as good as the store's.
        public var timeToLive: Duration = .seconds(60)
        /// How long before the end of its time an entry in use is refreshed.
        public var refreshAhead: Duration = .seconds(10)
        /// How old an answer may be when the store cannot be reached; zero to serve none.
        public var maximumStaleness: Duration = .seconds(600)
        /// How long a read waits for a slow store before it is served a stale answer, if there is one.
        public var patience: Duration = .milliseconds(500)
        /// How long the store has to answer when it is asked on behalf of many.
        public var fetchTimeout: Duration = .seconds(10)
        /// How long a store that failed is not asked again for a secret that can be served stale.
        public var failureBackoff: Duration = .seconds(1)

        /// The defaults.
        public init() {}
    }

    let inner: any SecretBackend
    let options: Options
    let clock: any WallClock
    let table: CacheTable
    /// With whose access the store is asked; nil for the gateway's own.
    let bearer: Bearer?

    /// Makes a cache in front of a store.
    /// - Parameters:
    ///   - inner: the store.
    ///   - options: how the cache behaves.
    ///   - clock: tells whether a version's own time to be deleted has come.
    public init(_ inner: any SecretBackend, options: Options = Options(), clock: any WallClock = SystemWallClock()) {
        self.inner = inner
        self.options = options
        self.clock = clock
        self.bearer = nil
        self.table = CacheTable(
            CacheTable.Limits(
                secrets: options.maximumSecrets, bytes: options.maximumBytes, bearers: options.maximumCredentials,
                acceptances: options.maximumAcceptances))
    }

    /// The same cache for the bearer of a credential.
    init(_ cache: ReadCache, for bearer: Bearer) {
        self.inner = cache.inner
        self.options = cache.options
        self.clock = cache.clock
        self.table = cache.table
        self.bearer = bearer
    }

    /// `cache(<store>)`.
    public var name: String { "cache(\(inner.name))" }

    /// How many secrets and payload bytes are remembered.
    public var usage: (secrets: Int, bytes: Int) { table.usage }

    /// Forgets all secrets of a domain (first path segment).
    public func forget(domain: String) { table.forget(domain: domain) }

    /// Reads from memory where that is allowed, from the store otherwise.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try deadline.check("\(path) was read")
        let now = ContinuousClock.now
        guard let known = table.find(path, for: bearer?.digest), !hasEnded(known.secret),
            version == nil || version == known.secret.info.number
        else {
            return try await ask(path, version: version, deadline: deadline)
        }
        let age = known.standsSince.duration(to: now)
        if age < options.timeToLive {
            // Nobody's credential is used when its bearer is not asking.
            if bearer == nil, age >= options.timeToLive - options.refreshAhead { _ = flight(for: path) }
            return known.secret.served(.cached(age: known.fetchedAt.duration(to: now)))
        }
        guard version == nil, age < options.maximumStaleness else {
            return try await ask(path, version: version, deadline: deadline)
        }
        if let failedAt = known.failedAt, failedAt.duration(to: now) < options.failureBackoff {
            return known.secret.served(.stale(age: known.fetchedAt.duration(to: now)))
        }
        return try await fetch(path, deadline: deadline, orAfter: known)
    }

    /// Whether a version has reached its own time to be deleted.
    private func hasEnded(_ secret: SecretVersion) -> Bool {
        secret.info.deletesAt.map { $0 <= clock.now() } ?? false
    }

    /// Asks the store when nothing that is remembered can be served. Other versions than the current are not remembered.
    private func ask(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        guard version != nil else { return try await fetch(path, deadline: deadline, orAfter: nil) }
        return try await ask(path, deadline: deadline) { (store) async throws(SecretError) in
            try await store.read(path, version: version, deadline: deadline)
        }
    }

    /// Asks the store, together with all others that are asking for the same secret with the same access now.
    /// - Parameter fallback: what to serve when the store cannot answer, or not soon enough.
    private func fetch(
        _ path: SecretPath, deadline: Deadline, orAfter fallback: CacheTable.Known?
    ) async throws(SecretError) -> SecretVersion {
        let limit = fallback == nil ? deadline.answerBy : patience(deadline)
        do throws(SecretError) {
            return try await flight(for: path).value(deadline: limit, what: "the store's answer for \(path)")
        } catch {
            // A deadline of its own, an outage of the store: in both cases an old answer is better than none.
            guard let fallback, error.code.isTransient, !hasEnded(fallback.secret) else {
                guard error.code == .deadlineExceeded, !deadline.hasPassed else { throw error }
                throw SecretError(
                    .backendUnavailable, "The store did not answer for \(path) in the time there was; try again.",
                    retryAfterSeconds: 1)
            }
            table.noteFailure(path, for: bearer?.digest)
            // While this one waited, the store may have refused another with the same credential.
            guard table.isAccepted(path, for: bearer?.digest) else { throw error }
            return fallback.secret.served(.stale(age: fallback.fetchedAt.duration(to: .now)))
        }
    }

    /// How long to wait for the store where there is something else to go on with. A caller with little time must get
    /// that while there is some left to send it in.
    func patience(_ deadline: Deadline) -> Deadline {
        .after(min(options.patience, deadline.remaining / 2))
    }

    /// The question to the store that is under way for a secret, or a new one.
    private func flight(for path: SecretPath) -> SharedResult<SecretVersion> {
        let (flight, isNew) = table.joinFlight(for: path, by: bearer?.digest)
        guard isNew else { return flight }
        Task {
            // Age counts from before the question: the answer may have been true only then.
            let asked = ContinuousClock.now
            let deadline = Deadline.after(options.fetchTimeout)
            let result: Result<SecretVersion, SecretError>
            do throws(SecretError) {
                result = .success(try await store(deadline).read(path, version: nil, deadline: deadline))
            } catch {
                result = .failure(error)
            }
            table.land(flight, for: path, by: bearer?.digest, result, askedAt: asked)
            flight.complete(result)
        }
        return flight
    }

    /// Writes through, and forgets what was known before.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await change(path, deadline) { (store) async throws(SecretError) in
            try await store.write(path, payload, expecting: expecting, deadline: deadline)
        }
    }

    /// Deletes through, and forgets what was known before.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline) { (store) async throws(SecretError) in
            try await store.delete(path, versions: versions, deadline: deadline)
        }
    }

    /// Undeletes through, and forgets what was known before.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline) { (store) async throws(SecretError) in
            try await store.undelete(path, versions: versions, deadline: deadline)
        }
    }

    /// Destroys through, and forgets what was known before.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline) { (store) async throws(SecretError) in
            try await store.destroy(path, versions: versions, deadline: deadline)
        }
    }

    /// Removes through, and forgets what was known before.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline) { (store) async throws(SecretError) in
            try await store.remove(path, deadline: deadline)
        }
    }

    /// Lists are not remembered.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await ask(nil, deadline: deadline) { (store) async throws(SecretError) in
            try await store.list(query, deadline: deadline)
        }
    }

    /// Descriptions are not remembered.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await ask(path, deadline: deadline) { (store) async throws(SecretError) in
            try await store.describe(path, deadline: deadline)
        }
    }

    /// Changes through, and forgets what was known before: labels are part of a read.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await self.change(path, deadline) { (store) async throws(SecretError) in
            try await store.updateMetadata(path, change, deadline: deadline)
        }
    }

    /// The store's health: a cache has none of its own.
    public func health(deadline: Deadline) async -> BackendHealth {
        await inner.health(deadline: deadline)
    }

    /// Forgets before and after: a change whose outcome is unknown may have happened.
    private func change<Value>(
        _ path: SecretPath, _ deadline: Deadline, _ act: (any SecretBackend) async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        try await ask(path, deadline: deadline) { (store) async throws(SecretError) in
            table.forget(path)
            defer { table.forget(path) }
            return try await act(store)
        }
    }
}
