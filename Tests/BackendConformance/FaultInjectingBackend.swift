// A backend that fails on purpose, as a store behind a network does: before a call is made, or after it
// was made but before its answer arrived.

public import PosternProtocol
import Synchronization

/// A decorator that makes some calls fail with `backend_unavailable`.
public final class FaultInjectingBackend: SecretBackend {
    /// What happens to a call.
    public enum Fault: Sendable {
        /// It goes through.
        case none
        /// It fails, and has changed nothing.
        case before
        /// It fails, but was done.
        case after
    }

    private struct Plan {
        var random: SeededGenerator
        var percentage: Int
        var script: [Fault] = []

        mutating func next() -> Fault {
            if !script.isEmpty { return script.removeFirst() }
            guard random.chance(percentage) else { return .none }
            return random.chance(50) ? .before : .after
        }
    }

    /// The name in logs: `faulty(…)`.
    public var name: String { "faulty(\(inner.name))" }

    /// Shared with the views of the same backend.
    private final class SharedPlan: Sendable {
        private let plan: Mutex<Plan>

        init(_ plan: Plan) { self.plan = Mutex(plan) }

        func withLock<T: Sendable>(_ body: (inout Plan) -> T) -> T { plan.withLock { body(&$0) } }
    }

    private let inner: any SecretBackend
    private let plan: SharedPlan

    /// Puts faults in front of a backend.
    /// - Parameters:
    ///   - inner: the backend that does the work.
    ///   - percentage: how many calls of a hundred fail, half of them after they were done.
    ///   - seed: decides which.
    public init(_ inner: any SecretBackend, percentage: Int = 0, seed: UInt64 = 1) {
        self.inner = inner
        self.plan = SharedPlan(Plan(random: SeededGenerator(seed: seed), percentage: percentage))
    }

    private init(_ inner: any SecretBackend, sharing plan: SharedPlan) {
        self.inner = inner
        self.plan = plan
    }

    /// Changes how many calls of a hundred fail; 100 is an outage.
    /// - Parameter percentage: 0 to 100.
    public func setPercentage(_ percentage: Int) {
        plan.withLock { $0.percentage = percentage }
    }

    /// Says what happens to the next calls; after these, the percentage decides again.
    /// - Parameter faults: one for each call.
    public func script(_ faults: [Fault]) {
        plan.withLock { $0.script = faults }
    }

    /// Reads, or fails.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        let fault = try start("reading \(path)")
        return try finish(fault, "reading \(path)", try await inner.read(path, version: version, deadline: deadline))
    }

    /// Writes, or fails.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        let fault = try start("writing \(path)")
        let written = try await inner.write(path, payload, expecting: expecting, deadline: deadline)
        return try finish(fault, "writing \(path)", written)
    }

    /// Deletes, or fails.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        let fault = try start("deleting versions of \(path)")
        try await inner.delete(path, versions: versions, deadline: deadline)
        try finish(fault, "deleting versions of \(path)", ())
    }

    /// Undeletes, or fails.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        let fault = try start("undeleting versions of \(path)")
        try await inner.undelete(path, versions: versions, deadline: deadline)
        try finish(fault, "undeleting versions of \(path)", ())
    }

    /// Destroys, or fails.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        let fault = try start("destroying versions of \(path)")
        try await inner.destroy(path, versions: versions, deadline: deadline)
        try finish(fault, "destroying versions of \(path)", ())
    }

    /// Removes, or fails.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        let fault = try start("removing \(path)")
        try await inner.remove(path, deadline: deadline)
        try finish(fault, "removing \(path)", ())
    }

    /// Lists, or fails.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        let fault = try start("listing")
        return try finish(fault, "listing", try await inner.list(query, deadline: deadline))
    }

    /// Describes, or fails.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        let fault = try start("describing \(path)")
        return try finish(fault, "describing \(path)", try await inner.describe(path, deadline: deadline))
    }

    /// Changes metadata, or fails.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        let fault = try start("changing the metadata of \(path)")
        let changed = try await inner.updateMetadata(path, change, deadline: deadline)
        return try finish(fault, "changing the metadata of \(path)", changed)
    }

    /// Not ready during an injected fault.
    public func health(deadline: Deadline) async -> BackendHealth {
        guard case .none = plan.withLock({ $0.next() }) else {
            return BackendHealth(isReady: false, detail: "injected fault")
        }
        return await inner.health(deadline: deadline)
    }

    /// The backend's view behind the same faults, or fails.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        let fault = try start("asking for a view")
        let view = try await inner.view(for: credential, deadline: deadline)
        let faulty = FaultInjectingBackend(view.backend, sharing: plan)
        return try finish(fault, "asking for a view", StoreView(backend: faulty, identity: view.identity))
    }

    private func start(_ what: String) throws(SecretError) -> Fault {
        let fault = plan.withLock { $0.next() }
        if case .before = fault { throw SecretError(.backendUnavailable, "Injected fault before \(what).") }
        return fault
    }

    private func finish<T>(_ fault: Fault, _ what: String, _ result: T) throws(SecretError) -> T {
        if case .after = fault { throw SecretError(.backendUnavailable, "Injected fault after \(what).") }
        return result
    }
}
