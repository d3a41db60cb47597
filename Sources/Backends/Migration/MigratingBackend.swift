// Two stores as one, while secrets move from the first to the second: which one decides is written down in the source.

public import PosternProtocol

/// A backend in front of the source and the target of a migration.
///
/// Until the migration is cut over, the source decides and answers. While it is being copied, each change is made like
/// this, so that no acknowledged one can be missing in the target, whatever dies when:
/// 1. A mark in the source says that the secret's copy may not be up to date.
/// 2. The source makes the change.
/// 3. The phase is read anew. Only if the source still decides, and the mark was there before, is the change
///    acknowledged: whoever ends the copying goes over all marks after having ended it.
/// 4. The copy is brought up to date, and then the mark is removed. If that fails, the mark stays, and the caller does
///    not notice.
///
/// While the migration drains, changes are refused for some seconds. Once it is cut over, the target decides, alone: it
/// had everything by then, checked, so what it does not have is removed, and the source is not asked again.
public final class MigratingBackend: SecretBackend {
    /// The times that gateways and the command keep.
    public struct Timing: Sendable {
        /// How old what is known of the phase may be when a call begins.
        public var staleness: Duration
        /// How long a change may take, whatever its deadline.
        public var changeLimit: Duration
        /// How long a change may wait for its copy.
        public var copyLimit: Duration

        /// How long the source takes no changes before the last ones are copied: longer than any that began before goes on,
        /// with the two seconds that a store may take beyond a deadline.
        public var drain: Duration { staleness + changeLimit + .seconds(2) }

        /// Makes timing; gateways and the command must have the same.
        public init(
            staleness: Duration = .seconds(1), changeLimit: Duration = .seconds(10), copyLimit: Duration = .seconds(3)
        ) {
            self.staleness = staleness
            self.changeLimit = changeLimit
            self.copyLimit = copyLimit
        }
    }

    /// `migrating(…→…)`.
    public let name: String
    let source: any SecretBackend
    let target: any SecretBackend
    private let copier: SecretCopier
    private let records: MigrationRecords
    let watch: PhaseWatch
    private let timing: Timing
    /// Whether this is the source as one of its own users sees it, who is nobody in the target.
    private let isView: Bool

    /// Makes a backend.
    /// - Parameters:
    ///   - source: the store that secrets come from.
    ///   - target: the store that they go to.
    ///   - sourceRecords: the store behind the source's encryption, for the records of the migration.
    ///   - targetRecords: the same of the target.
    ///   - sourceName: the source as the command calls it: a target that was cut over from another store once is not
    ///     taken for this one's when the source does not answer.
    ///   - timing: the times that gateways and the command keep.
    ///   - clock: tells whether a command that was draining is dead.
    public init(
        source: any HistoryTransferring, target: any HistoryTransferring, sourceRecords: MigrationRecords,
        targetRecords: MigrationRecords, sourceName: String, timing: Timing = Timing(),
        clock: any WallClock = SystemWallClock()
    ) {
        name = "migrating(\(source.name)→\(target.name))"
        self.source = source
        self.target = target
        copier = SecretCopier(source: source, target: target)
        records = sourceRecords
        watch = PhaseWatch(
            source: sourceRecords, target: targetRecords, sourceName: sourceName, clock: clock)
        self.timing = timing
        isView = false
    }

    init(_ migrating: MigratingBackend, over view: any SecretBackend) {
        name = migrating.name
        source = view
        target = migrating.target
        copier = migrating.copier
        records = migrating.records
        watch = migrating.watch
        timing = migrating.timing
        isView = true
    }

    /// The phase as last seen, for metrics: `idle`, `copying`, `draining`, `cut_over`, or `unknown`.
    public var lastPhase: String {
        switch watch.lastSeen {
        case nil: "unknown"
        case .idle: "idle"
        case .copying: "copying"
        case .draining: "draining"
        case .cutOver: "cut_over"
        }
    }

    /// The phase, as it was at most a moment ago.
    func phase(deadline: Deadline) async throws(SecretError) -> MigrationPhase {
        let phase = try await watch.phase(since: .now - timing.staleness, deadline: deadline)
        if isView, phase == .cutOver { throw Self.moved }
        return phase
    }

    /// The store that answers.
    func reader(deadline: Deadline) async throws(SecretError) -> any SecretBackend {
        try await phase(deadline: deadline) == .cutOver ? target : source
    }

    /// Makes a change where it is to be made.
    func change<Value: Sendable>(
        _ path: SecretPath, deadline: Deadline,
        _ act: @Sendable (any SecretBackend, Deadline) async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        try refuseReserved(path)
        try deadline.check("\(path) was changed")
        let limit = min(deadline, .after(timing.changeLimit))
        switch try await phase(deadline: limit) {
        case .cutOver: return try await act(target, deadline)
        case .draining: throw Self.draining
        case .idle: return try await changeSource(path, mark: nil, act, limit)
        case .copying:
            return try await changeSource(path, mark: try await records.mark(path, deadline: limit), act, limit)
        }
    }

    private func changeSource<Value: Sendable>(
        _ path: SecretPath, mark: SecretPath?,
        _ act: @Sendable (any SecretBackend, Deadline) async throws(SecretError) -> Value, _ deadline: Deadline
    ) async throws(SecretError) -> Value {
        let value: Value
        do throws(SecretError) {
            value = try await act(source, deadline)
        } catch {
            if let mark, Self.changedNothing(error) { await drop(mark) }
            throw error
        }
        var mark = mark
        // The change is made by now: what is still to do does not fail with the caller's patience.
        let end = Deadline.after(timing.changeLimit)
        while true {
            switch try await watch.phase(since: .now, deadline: end) {
            case .idle: break
            case .copying:
                guard let mark else {
                    // The copying began while the change was made.
                    mark = try await records.mark(path, deadline: end)
                    continue
                }
                await follow(path, mark)
            case .draining, .cutOver: throw Self.late(path)
            }
            return value
        }
    }

    /// Brings the target's copy up to date, and removes the mark if that is certain to be so.
    private func follow(_ path: SecretPath, _ mark: SecretPath) async {
        do throws(SecretError) {
            let outcome = try await copier.copy(
                path, onDivergence: .refuse, deadline: .after(timing.copyLimit))
            // Where two copy the same secret, it is looked at again once nobody writes.
            if !outcome.isContended { await drop(mark) }
        } catch {
            // The mark stays, and the command copies the secret.
        }
    }

    private func drop(_ mark: SecretPath) async {
        // A mark too many makes for a comparison too many.
        try? await records.unmark(mark, deadline: .after(timing.copyLimit))
    }

    /// Whether a change that failed is known not to have happened.
    private static func changedNothing(_ error: SecretError) -> Bool {
        switch error.code {
        case .invalidArgument, .unauthenticated, .permissionDenied, .notFound, .versionDeleted, .versionDestroyed,
            .conflict, .tooLarge:
            true
        default: false
        }
    }

    private func refuseReserved(_ path: SecretPath) throws(SecretError) {
        guard !path.isReserved else {
            throw SecretError(
                .invalidArgument, "\(path) is reserved for Postern's own records and cannot be used as a secret.")
        }
    }

    private static let draining = SecretError(
        .backendUnavailable,
        "Secrets are moving to another store and cannot be changed for some seconds; try again.", retryAfterSeconds: 2)

    private static let moved = SecretError(
        .backendUnavailable,
        "Secrets have moved to another store, where the credential sent along is not known. Restart the gateways with the new "
            + "configuration.")

    private static func late(_ path: SecretPath) -> SecretError {
        SecretError(
            .backendUnavailable,
            "Secrets moved to another store while \(path) was changed, and it is not known whether the change came along; "
                + "read the secret, and change it again if need be.", retryAfterSeconds: 2)
    }
}
