// Taking over a secret's history from another store: every version is encrypted anew, for its place in this one.

public import PosternProtocol

extension EnvelopeBackend: HistoryTransferring {
    /// The decrypted payload of a version that is kept, whether or not it is soft-deleted.
    /// - Throws: beside the store's errors, `invalid_argument` for a reserved path or a store that gives out no history,
    ///   `key_unavailable`, `integrity_failure`.
    public func recall(_ path: SecretPath, version: Int, deadline: Deadline) async throws(SecretError) -> Payload {
        try refuseReserved(path)
        let stored = try await transferring().recall(path, version: version, deadline: deadline)
        return try await open(stored, at: EnvelopePlace(path: path, version: version), deadline: deadline)
    }

    /// Restores a secret in the store, with each version encrypted under the domain's current key.
    /// - Throws: beside the store's errors, `invalid_argument` for a reserved path or a store that takes no history,
    ///   `key_unavailable`, `integrity_failure` if the domain's key record is gone.
    public func restore(
        _ history: SecretDescription, onDivergence divergence: HistoryDivergence,
        payload: @Sendable (Int) async throws(SecretError) -> Payload, deadline: Deadline
    ) async throws(SecretError) -> [Int] {
        let path = history.path
        try refuseReserved(path)
        let store = try transferring()
        // Before there is anything of the domain in the store: a domain with secrets and no key gets none.
        _ = try await currentKey(of: path, deadline: deadline)
        return try await store.restore(
            history, onDivergence: divergence,
            payload: { (number) async throws(SecretError) in
                let plain = try await payload(number)
                let key = try await currentKey(of: path, deadline: deadline)
                return try seal(plain, for: EnvelopePlace(path: path, version: number), under: key)
            }, deadline: deadline)
    }

    private func transferring() throws(SecretError) -> any HistoryTransferring {
        guard let store = store as? any HistoryTransferring else {
            throw SecretError(.invalidArgument, "The store \(store.name) neither gives out nor takes over histories.")
        }
        return store
    }
}
