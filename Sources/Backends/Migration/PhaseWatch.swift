// Knows which store decides, never longer ago than a second.

import PosternConcurrency
import PosternProtocol
import Synchronization

/// What a gateway needs to know of a migration.
enum MigrationPhase: Sendable, Equatable {
    /// There is none, or it was given up: the source decides, alone.
    case idle
    /// The source decides, and the target follows.
    case copying(id: String)
    /// The source answers reads, nobody writes.
    case draining
    /// The target decides.
    case cutOver
}

/// Reads the phase where it is kept, and remembers it for a while. Once the target decides, it does so for good, and
/// nobody is asked any more.
final class PhaseWatch: Sendable {
    private struct State {
        var phase: MigrationPhase?
        /// When the last reading began.
        var asOf = ContinuousClock.now
        var reading: (began: ContinuousClock.Instant, result: SharedResult<MigrationPhase>)?
    }

    /// How long a reading may take.
    private static let patience: Duration = .seconds(10)
    /// How long after its lease has run out a command that was draining is taken for dead.
    private static let patienceWithTheDead: Duration = .seconds(5)

    private let source: MigrationRecords
    private let target: MigrationRecords
    /// What the source is called in the records of a migration.
    private let sourceName: String
    private let clock: any WallClock
    private let state = Mutex(State())

    init(source: MigrationRecords, target: MigrationRecords, sourceName: String, clock: any WallClock) {
        self.sourceName = sourceName
        self.source = source
        self.clock = clock
        self.target = target
    }

    /// The phase as last seen, for health and metrics.
    var lastSeen: MigrationPhase? { state.withLock { $0.phase } }

    /// The phase.
    /// - Parameter moment: only what was read after this moment will do.
    /// - Throws: `backend_unavailable` if it cannot be found out: then nobody knows which store decides.
    func phase(since moment: ContinuousClock.Instant, deadline: Deadline) async throws(SecretError) -> MigrationPhase {
        let (known, pending, mustRead) = state.withLock {
            state -> (MigrationPhase?, SharedResult<MigrationPhase>?, Bool) in
            if let phase = state.phase, phase == .cutOver || state.asOf >= moment { return (phase, nil, false) }
            // A reading that began too long ago may not have seen what must be seen.
            if let reading = state.reading, reading.began >= moment { return (nil, reading.result, false) }
            let result = SharedResult<MigrationPhase>()
            state.reading = (.now, result)
            return (nil, result, true)
        }
        if let known { return known }
        guard let pending else { throw SecretError(.internalError, "No reading of the migration's phase.") }
        if mustRead { Task { await self.read(into: pending) } }
        return try await pending.value(deadline: deadline, what: "the phase of the migration")
    }

    private func read(into result: SharedResult<MigrationPhase>) async {
        let began = ContinuousClock.now
        let outcome: Result<MigrationPhase, SecretError>
        do throws(SecretError) {
            outcome = .success(try await read())
        } catch {
            outcome = .failure(error)
        }
        state.withLock { state in
            if case .success(let phase) = outcome, state.phase != .cutOver, state.phase == nil || state.asOf <= began {
                state.phase = phase
                state.asOf = began
            }
            if state.reading?.result === result { state.reading = nil }
        }
        result.complete(outcome)
    }

    private func read() async throws(SecretError) -> MigrationPhase {
        let deadline = Deadline.after(Self.patience)
        do throws(SecretError) {
            guard let (record, version) = try await source.versioned(deadline: deadline) else { return .idle }
            guard record.role == .source else {
                throw SecretError(
                    .backendUnavailable, "This store is the target of a migration itself, and not of this one's source."
                )
            }
            switch record.phase {
            case .copying: return .copying(id: record.id)
            case .cutOver: return .cutOver
            case .aborted: return .idle
            case .draining:
                if let lease = record.lease, lease.expiresAt.advanced(by: Self.patienceWithTheDead) > clock.now() {
                    return .draining
                }
                return try await goOn(record, after: version, deadline: deadline)
            }
        } catch {
            // The source may be gone for good, once the target decides; the target says so then.
            let failure = error
            do throws(SecretError) {
                if let record = try await target.read(deadline: deadline), record.role == .target,
                    record.phase == .cutOver, record.source == sourceName
                {
                    return .cutOver
                }
            } catch {
                // Neither says anything: the source's reason counts.
            }
            throw SecretError(
                .backendUnavailable,
                "It cannot be found out which store of the migration decides: \(failure.message)",
                retryAfterSeconds: failure.retryAfterSeconds ?? 1)
        }
    }

    /// Takes the migration back to copying, since the command that was draining is dead. It cannot cut over any more then,
    /// should it come back: for that, the record would have to be as it left it.
    private func goOn(
        _ record: MigrationRecord, after version: Int, deadline: Deadline
    ) async throws(SecretError) -> MigrationPhase {
        var record = record
        record.phase = .copying
        record.changedAt = clock.now()
        record.lease = nil
        do throws(SecretError) {
            _ = try await source.write(record, after: version, deadline: deadline)
            return .copying(id: record.id)
        } catch  where error.code == .conflict {
            // Somebody was faster; the next look shows what it is now.
            return .draining
        }
    }
}
