// A backend that takes its time, as a store behind a network does.

public import PosternProtocol

/// A decorator that waits before every call.
public final class LatencyInjectingBackend: SecretBackend {
    /// The name in logs: `slow(…)`.
    public var name: String { "slow(\(inner.name))" }

    private let inner: any SecretBackend
    private let delay: @Sendable () -> Duration

    /// Puts waiting in front of a backend.
    /// - Parameters:
    ///   - inner: the backend that does the work.
    ///   - delay: how long the next call waits. It is asked once for each.
    public init(_ inner: any SecretBackend, delay: @escaping @Sendable () -> Duration) {
        self.inner = inner
        self.delay = delay
    }

    /// Waits, then reads.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try await wait("reading \(path)", deadline)
        return try await inner.read(path, version: version, deadline: deadline)
    }

    /// Waits, then writes.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await wait("writing \(path)", deadline)
        return try await inner.write(path, payload, expecting: expecting, deadline: deadline)
    }

    /// Waits, then deletes.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await wait("deleting versions of \(path)", deadline)
        try await inner.delete(path, versions: versions, deadline: deadline)
    }

    /// Waits, then undeletes.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await wait("undeleting versions of \(path)", deadline)
        try await inner.undelete(path, versions: versions, deadline: deadline)
    }

    /// Waits, then destroys.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await wait("destroying versions of \(path)", deadline)
        try await inner.destroy(path, versions: versions, deadline: deadline)
    }

    /// Waits, then removes.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await wait("removing \(path)", deadline)
        try await inner.remove(path, deadline: deadline)
    }

    /// Waits, then lists.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await wait("listing", deadline)
        return try await inner.list(query, deadline: deadline)
    }

    /// Waits, then describes.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await wait("describing \(path)", deadline)
        return try await inner.describe(path, deadline: deadline)
    }

    /// Waits, then changes metadata.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await wait("changing the metadata of \(path)", deadline)
        return try await inner.updateMetadata(path, change, deadline: deadline)
    }

    /// Waits, then asks for health; not ready if the deadline comes first.
    public func health(deadline: Deadline) async -> BackendHealth {
        do {
            try await wait("asking for health", deadline)
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
        return await inner.health(deadline: deadline)
    }

    /// Waits, then asks for the backend's view, which waits as well.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        try await wait("asking for a view", deadline)
        let view = try await inner.view(for: credential, deadline: deadline)
        return StoreView(backend: LatencyInjectingBackend(view.backend, delay: delay), identity: view.identity)
    }

    /// Waits for the delay, but not past the deadline, and not in a cancelled task.
    private func wait(_ what: String, _ deadline: Deadline) async throws(SecretError) {
        try deadline.check(what)
        do {
            try await ContinuousClock().sleep(
                until: min(.now.advanced(by: delay()), deadline.instant), tolerance: .zero)
        } catch {
            throw SecretError(.cancelled, "The caller gave up before \(what).")
        }
        try deadline.check(what)
    }
}
