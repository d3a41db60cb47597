// Which credentials the store has accepted, and for what. Only digests are remembered: whoever reads this memory
// learns no credential.

import Crypto
import PosternConcurrency
import PosternProtocol
import Synchronization

/// What stands for a credential in memory.
typealias CredentialDigest = SHA256.Digest

extension CacheTable {
    /// What is known of one credential.
    struct BearerEntry: Sendable {
        /// Who that is, as the store says.
        var identity: [String: String]
        /// When the store was asked who that is.
        var knownAt: ContinuousClock.Instant
        /// When the store last failed to answer this bearer.
        var failedAt: ContinuousClock.Instant?
        /// When the store was last asked for a secret with this credential, and gave it.
        var acceptances: [SecretPath: ContinuousClock.Instant] = [:]
    }

    /// What is known of a credential.
    func find(_ bearer: CredentialDigest) -> BearerEntry? {
        state.withLock { $0.bearers.use(bearer) }
    }

    /// Whether what is remembered of a secret may go to an asker.
    func isAccepted(_ path: SecretPath, for asker: CredentialDigest?) -> Bool {
        guard let asker else { return true }
        return state.withLock { $0.bearers[asker]?.acceptances[path] != nil }
    }

    /// The question under way of who the bearer of a credential is, or a new one that the caller must ask.
    func joinOpening(for bearer: CredentialDigest) -> (opening: SharedResult<StoreView>, isNew: Bool) {
        state.withLock { state in
            if let opening = state.openings[bearer] { return (opening, false) }
            let opening = SharedResult<StoreView>()
            state.openings[bearer] = opening
            return (opening, true)
        }
    }

    /// Takes in who the bearer of a credential is. What was accepted before stays so.
    func land(
        _ opening: SharedResult<StoreView>, for bearer: CredentialDigest, _ result: Result<StoreView, SecretError>,
        askedAt: ContinuousClock.Instant
    ) {
        state.withLock { state in
            guard state.openings[bearer] === opening else { return }
            state.openings[bearer] = nil
            switch result {
            case .success(let view):
                var entry = state.bearers[bearer] ?? BearerEntry(identity: view.identity, knownAt: askedAt)
                entry.identity = view.identity
                entry.knownAt = askedAt
                entry.failedAt = nil
                state.bearers.put(bearer, entry)
                state.evict(to: limits)
            case .failure(let error) where error.code.isTransient:
                state.bearers.update(bearer) { $0.failedAt = .now }
            case .failure(let error) where error.code.isRefusal:
                state.forget(bearer)
            case .failure:
                break
            }
        }
    }

    /// Notes that the store did not answer who the bearer of a credential is, or not soon enough.
    func noteFailure(of bearer: CredentialDigest) {
        state.withLock { state in state.bearers.update(bearer) { $0.failedAt = .now } }
    }

    /// Notes that the store has refused something to the bearer of a credential.
    /// - Parameter path: what it was about, where it was about one secret.
    func noteRefusal(_ code: SecretError.Code, _ path: SecretPath?, by bearer: CredentialDigest) {
        state.withLock { state in
            if let path {
                state.refuse(path, to: bearer, code)
            } else if code == .unauthenticated {
                state.forget(bearer)
            }
        }
    }
}

extension CacheTable.State {
    /// From now on the bearer of a credential may be told what is remembered of a secret.
    mutating func accept(_ path: SecretPath, for bearer: CredentialDigest, at time: ContinuousClock.Instant) {
        var added = 0
        bearers.update(bearer) { entry in
            if entry.acceptances.updateValue(time, forKey: path) == nil { added = 1 }
            entry.failedAt = nil
        }
        acceptances += added
    }

    /// From now on an asker may not be told what is remembered of a secret, nor what is on its way.
    mutating func refuse(_ path: SecretPath, to asker: CredentialDigest?, _ code: SecretError.Code) {
        guard let asker else {
            // For bearers it is still as good as it was.
            if bearers.count == 0 { drop(path) } else { entries.update(path) { $0.acceptedAt = nil } }
            return
        }
        if code == .unauthenticated { return forget(asker) }
        detach(path, asker)
        var removed = 0
        bearers.update(asker) { if $0.acceptances.removeValue(forKey: path) != nil { removed = 1 } }
        acceptances -= removed
    }

    /// Forgets a credential that the store no longer knows, with all that was accepted for it.
    mutating func forget(_ bearer: CredentialDigest) {
        openings[bearer] = nil
        guard let entry = bearers.remove(bearer) else { return }
        acceptances -= entry.acceptances.count
        // Its questions under way are few; what they bring from before the refusal must not count.
        for path in Array(flights.keys) { detach(path, bearer) }
    }
}

extension SecretError.Code {
    /// Whether a store says by this that it is the asker who may not have it.
    var isRefusal: Bool { self == .permissionDenied || self == .unauthenticated }
}
