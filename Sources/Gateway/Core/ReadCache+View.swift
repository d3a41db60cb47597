// The cache as the bearer of a credential for the store sees it.

import Crypto
import PosternConcurrency
public import PosternProtocol
import Synchronization

/// The bearer of a credential, for as long as one request of its lasts. After that the cache has only the digest.
final class Bearer: Sendable {
    let digest: CredentialDigest
    fileprivate let credential: SecretBytes
    /// The store's own view, once it was needed. Most requests are answered from memory and never open it.
    fileprivate let view = Mutex<StoreView?>(nil)

    fileprivate init(_ credential: SecretBytes) {
        self.credential = credential
        digest = credential.withUnsafeBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return hash.finalize()
        }
    }
}

extension ReadCache {
    /// The cache for the bearer of a credential. Who that is, the store is asked once in `timeToLive`, and in an outage
    /// it need not be asked again for `maximumStaleness`.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        guard self.bearer == nil else {
            throw SecretError(.invalidArgument, "One request takes one credential; do not send a second.")
        }
        try deadline.check("the store was asked about a caller's credential")
        let bearer = Bearer(credential)
        return StoreView(
            backend: ReadCache(self, for: bearer), identity: try await identity(of: bearer, deadline: deadline))
    }

    private func identity(of bearer: Bearer, deadline: Deadline) async throws(SecretError) -> [String: String] {
        let now = ContinuousClock.now
        var fallback: CacheTable.BearerEntry?
        if let known = table.find(bearer.digest) {
            let age = known.knownAt.duration(to: now)
            if age < options.timeToLive { return known.identity }
            if age < options.maximumStaleness { fallback = known }
        }
        if let fallback, let failedAt = fallback.failedAt, failedAt.duration(to: now) < options.failureBackoff {
            return fallback.identity
        }
        do throws(SecretError) {
            return try await open(bearer, deadline: fallback == nil ? deadline : patience(deadline)).identity
        } catch {
            guard let fallback, error.code.isTransient else { throw error }
            table.noteFailure(of: bearer.digest)
            guard table.find(bearer.digest) != nil else { throw error }
            return fallback.identity
        }
    }

    /// The store's own view for a bearer, opened once a request, and once for all who show the same credential now.
    private func open(_ bearer: Bearer, deadline: Deadline) async throws(SecretError) -> StoreView {
        if let view = bearer.view.withLock({ $0 }) { return view }
        let (opening, isNew) = table.joinOpening(for: bearer.digest)
        if isNew {
            Task {
                let asked = ContinuousClock.now
                let result: Result<StoreView, SecretError>
                do throws(SecretError) {
                    result = .success(
                        try await inner.view(for: bearer.credential, deadline: .after(options.fetchTimeout)))
                } catch {
                    result = .failure(error)
                }
                table.land(opening, for: bearer.digest, result, askedAt: asked)
                opening.complete(result)
            }
        }
        let view = try await opening.value(deadline: deadline, what: "the store to say whose credential it is")
        bearer.view.withLock { $0 = view }
        return view
    }

    /// The store, with the access that this cache asks with.
    func store(_ deadline: Deadline) async throws(SecretError) -> any SecretBackend {
        guard let bearer else { return inner }
        return try await open(bearer, deadline: deadline).backend
    }

    /// Asks the store, and remembers if it refuses the bearer.
    func ask<Value>(
        _ path: SecretPath?, deadline: Deadline, _ act: (any SecretBackend) async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        guard let bearer else { return try await act(inner) }
        do throws(SecretError) {
            return try await act(store(deadline))
        } catch {
            if error.code.isRefusal { table.noteRefusal(error.code, path, by: bearer.digest) }
            throw error
        }
    }
}
