// The memory of the read cache: secrets, who may be told them, and the questions to the store that are under way.

import PosternConcurrency
import PosternProtocol
import Synchronization

/// What the read cache remembers. Every method takes the lock once and calls nothing else meanwhile.
///
/// Whoever asks is told only what the store has told the same asker: the gateway with its own access (a nil asker), or
/// the bearer of a credential, who stands here by its digest.
final class CacheTable: Sendable {
    /// How much to remember.
    struct Limits: Sendable {
        let secrets: Int
        let bytes: Int
        let bearers: Int
        let acceptances: Int
    }

    /// What is known of one secret.
    struct Entry: Sendable {
        let secret: SecretVersion
        /// When the store was asked for it.
        let fetchedAt: ContinuousClock.Instant
        /// When the store was last asked for it with the gateway's own access, and gave it; nil if only bearers of
        /// credentials were given it.
        var acceptedAt: ContinuousClock.Instant?
        /// When the store last failed to answer the gateway for it.
        var failedAt: ContinuousClock.Instant?
    }

    /// What one asker may be told of a secret.
    struct Known: Sendable {
        let secret: SecretVersion
        /// When the store was asked for it.
        let fetchedAt: ContinuousClock.Instant
        /// When the store last said what it is and that this asker may have it: the older of both.
        let standsSince: ContinuousClock.Instant
        /// When the store last failed to answer this asker.
        let failedAt: ContinuousClock.Instant?
    }

    struct State {
        var entries = BoundedTable<SecretPath, Entry>()
        var bytes = 0
        var bearers = BoundedTable<CredentialDigest, BearerEntry>()
        var acceptances = 0
        var flights: [SecretPath: [CredentialDigest?: SharedResult<SecretVersion>]] = [:]
        var openings: [CredentialDigest: SharedResult<StoreView>] = [:]
    }

    let limits: Limits
    let state = Mutex(State())

    init(_ limits: Limits) {
        self.limits = limits
    }

    var usage: (secrets: Int, bytes: Int) {
        state.withLock { ($0.entries.count, $0.bytes) }
    }

    /// What an asker may be told of a secret.
    func find(_ path: SecretPath, for asker: CredentialDigest?) -> Known? {
        state.withLock { state in
            guard let entry = state.entries.use(path) else { return nil }
            guard let asker else {
                guard let acceptedAt = entry.acceptedAt else { return nil }
                return Known(
                    secret: entry.secret, fetchedAt: entry.fetchedAt, standsSince: acceptedAt, failedAt: entry.failedAt)
            }
            guard let bearer = state.bearers.use(asker), let acceptedAt = bearer.acceptances[path] else { return nil }
            return Known(
                secret: entry.secret, fetchedAt: entry.fetchedAt, standsSince: min(entry.fetchedAt, acceptedAt),
                failedAt: bearer.failedAt)
        }
    }

    /// Drops a secret, and detaches the questions under way: their answers may be from before the change.
    func forget(_ path: SecretPath) {
        state.withLock { state in
            state.drop(path)
            state.flights[path] = nil
        }
    }

    /// Drops all secrets of a domain, and detaches questions under way.
    func forget(domain: String) {
        state.withLock { state in
            for path in Array(state.entries.keys) where path.domain == domain { state.drop(path) }
            for path in Array(state.flights.keys) where path.domain == domain { state.flights[path] = nil }
        }
    }

    /// An asker's question under way for a secret, or a new one that the caller must ask.
    func joinFlight(
        for path: SecretPath, by asker: CredentialDigest?
    ) -> (flight: SharedResult<SecretVersion>, isNew: Bool) {
        state.withLock { state in
            if let flight = state.flights[path]?[asker] { return (flight, false) }
            let flight = SharedResult<SecretVersion>()
            state.flights[path, default: [:]][asker] = flight
            return (flight, true)
        }
    }

    /// Notes that the store did not answer an asker for a secret, or not soon enough.
    func noteFailure(_ path: SecretPath, for asker: CredentialDigest?) {
        state.withLock { $0.noteFailure(path, for: asker) }
    }

    /// Takes in the store's answer to an asker, unless the question was detached while it was on its way: because the
    /// secret was changed, or the store has refused this asker since.
    func land(
        _ flight: SharedResult<SecretVersion>, for path: SecretPath, by asker: CredentialDigest?,
        _ result: Result<SecretVersion, SecretError>, askedAt: ContinuousClock.Instant
    ) {
        state.withLock { state in
            guard state.flights[path]?[asker] === flight else { return }
            state.detach(path, asker)
            switch result {
            case .success(let secret):
                state.put(secret, at: path, for: asker, askedAt: askedAt)
                if let asker { state.accept(path, for: asker, at: askedAt) }
                state.evict(to: limits)
            case .failure(let error) where error.code.isTransient:
                state.noteFailure(path, for: asker)
            case .failure(let error) where error.code.isRefusal:
                state.refuse(path, to: asker, error.code)
            case .failure:
                // What was asked for later than this is not made untrue by it.
                if let entry = state.entries[path], entry.fetchedAt <= askedAt { state.drop(path) }
            }
        }
    }
}

extension CacheTable.State {
    /// Remembers a secret, unless what is there is from a later question.
    mutating func put(
        _ secret: SecretVersion, at path: SecretPath, for asker: CredentialDigest?, askedAt: ContinuousClock.Instant
    ) {
        let present = entries[path]
        if let present, present.fetchedAt > askedAt {
            if asker == nil { entries.update(path) { $0.acceptedAt = max($0.acceptedAt ?? askedAt, askedAt) } }
            return
        }
        drop(path)
        // A bearer's question says nothing of the gateway's own rights: these stand as they stood.
        entries.put(
            path,
            CacheTable.Entry(
                secret: secret, fetchedAt: askedAt, acceptedAt: asker == nil ? askedAt : present?.acceptedAt))
        bytes += secret.payload.byteCount
    }

    mutating func drop(_ path: SecretPath) {
        guard let entry = entries.remove(path) else { return }
        bytes -= entry.secret.payload.byteCount
    }

    mutating func detach(_ path: SecretPath, _ asker: CredentialDigest?) {
        flights[path]?[asker] = nil
        if flights[path]?.isEmpty == true { flights[path] = nil }
    }

    mutating func noteFailure(_ path: SecretPath, for asker: CredentialDigest?) {
        if let asker {
            bearers.update(asker) { $0.failedAt = .now }
        } else {
            entries.update(path) { $0.failedAt = .now }
        }
    }

    mutating func evict(to limits: CacheTable.Limits) {
        while entries.count > limits.secrets || bytes > limits.bytes {
            guard let evicted = entries.evictOne() else { break }
            bytes -= evicted.secret.payload.byteCount
        }
        while bearers.count > limits.bearers || acceptances > limits.acceptances {
            guard let evicted = bearers.evictOne() else { break }
            acceptances -= evicted.acceptances.count
        }
    }
}
