// The contract of backends, kept by whichever store decides.

public import PosternProtocol

extension MigratingBackend {
    /// Reads from the store that decides.
    public func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        try deadline.check("reading \(path)")
        return try await reader(deadline: deadline).read(path, version: version, deadline: deadline)
    }

    /// Describes from the store that decides.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try deadline.check("describing \(path)")
        return try await reader(deadline: deadline).describe(path, deadline: deadline)
    }

    /// Lists from the store that decides.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try deadline.check("listing below \"\(query.prefix)\"")
        return try await reader(deadline: deadline).list(query, deadline: deadline)
    }

    /// Writes to the store that decides.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.write(path, payload, expecting: expecting, deadline: deadline)
        }
    }

    /// Soft-deletes in the store that decides.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.delete(path, versions: versions, deadline: deadline)
        }
    }

    /// Undeletes in the store that decides.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.undelete(path, versions: versions, deadline: deadline)
        }
    }

    /// Destroys in the store that decides.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.destroy(path, versions: versions, deadline: deadline)
        }
    }

    /// Removes from the store that decides.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.remove(path, deadline: deadline)
        }
    }

    /// Changes metadata in the store that decides.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await self.change(path, deadline: deadline) { (store, deadline) async throws(SecretError) in
            try await store.updateMetadata(path, change, deadline: deadline)
        }
    }

    /// The health of the store that decides; of the other one, what a person should know.
    public func health(deadline: Deadline) async -> BackendHealth {
        let phase: MigrationPhase
        do throws(SecretError) {
            phase = try await self.phase(deadline: deadline)
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
        let (deciding, following) = phase == .cutOver ? (target, source) : (source, target)
        async let first = deciding.health(deadline: deadline)
        async let second = following.health(deadline: deadline)
        let (health, other) = await (first, second)
        let role =
            switch phase {
            case .idle: "no migration under way"
            case .copying: "copying to \(target.name)"
            case .draining: "about to cut over, no changes are taken"
            case .cutOver: "cut over to \(target.name)"
            }
        return BackendHealth(
            isReady: health.isReady,
            detail: "migration: \(role); \(deciding.name): \(health.detail); \(following.name): \(other.detail)")
    }

    /// The store that decides, as a user of its own sees it.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        if try await phase(deadline: deadline) == .cutOver {
            return try await target.view(for: credential, deadline: deadline)
        }
        let view = try await source.view(for: credential, deadline: deadline)
        return StoreView(backend: MigratingBackend(self, over: view.backend), identity: view.identity)
    }
}
