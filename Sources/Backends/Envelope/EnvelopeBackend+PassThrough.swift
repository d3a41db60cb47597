// What needs no key: the store does it, on any path but a reserved one.

public import PosternProtocol

extension EnvelopeBackend {
    /// Soft-deletes versions in the store.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try refuseReserved(path)
        try await store.delete(path, versions: versions, deadline: deadline)
    }

    /// Undeletes versions in the store.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try refuseReserved(path)
        try await store.undelete(path, versions: versions, deadline: deadline)
    }

    /// Destroys versions in the store.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try refuseReserved(path)
        try await store.destroy(path, versions: versions, deadline: deadline)
    }

    /// Removes a secret from the store. The domain's key stays, even when its last secret goes.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try refuseReserved(path)
        try await store.remove(path, deadline: deadline)
    }

    /// Describes a secret in the store.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try refuseReserved(path)
        return try await store.describe(path, deadline: deadline)
    }

    /// Changes a secret's settings and labels in the store. They are not encrypted.
    /// - Throws: the store's errors; `invalid_argument` for a reserved path.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try refuseReserved(path)
        return try await store.updateMetadata(path, change, deadline: deadline)
    }

    /// Decrypts in front of the store's view for a credential. The credential decides on the store, not on keys.
    /// - Throws: the store's errors.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        let view = try await store.view(for: credential, deadline: deadline)
        return StoreView(backend: EnvelopeBackend(self, over: view.backend), identity: view.identity)
    }
}
