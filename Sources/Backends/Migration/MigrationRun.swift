// One run of the command: takes the migration in hand, copies, verifies, and where asked cuts over.

import Crypto
public import PosternProtocol
import Synchronization

/// Moves secrets from one store to another while gateways serve. Repeat it after whatever interrupts it: it goes on.
public final class MigrationRun: Sendable {
    /// How to go about it.
    public struct Options: Sendable {
        /// How many secrets a second at most; 0 for as many as can be.
        public var rate: Int
        /// How many secrets at a time.
        public var concurrency: Int
        /// Whether the target may have secrets already; those are replaced or removed.
        public var overwrites: Bool
        /// Whether copies that turn out to differ are made anew.
        public var repairs: Bool
        /// Whether no other process can have either store, so that there are no gateways to wait for.
        public var isExclusive: Bool
        /// The times that gateways and the command keep.
        public var timing: MigratingBackend.Timing

        /// Makes options.
        public init(
            rate: Int = 0, concurrency: Int = 8, overwrites: Bool = false, repairs: Bool = false,
            isExclusive: Bool = false, timing: MigratingBackend.Timing = MigratingBackend.Timing()
        ) {
            self.rate = rate
            self.concurrency = max(concurrency, 1)
            self.overwrites = overwrites
            self.repairs = repairs
            self.isExclusive = isExclusive
            self.timing = timing
        }
    }

    /// How long one secret may take.
    static let patience: Duration = .seconds(300)

    let source: any HistoryTransferring
    let target: any HistoryTransferring
    let sourceRecords: MigrationRecords
    let targetRecords: MigrationRecords
    let copier: SecretCopier
    let journal: any MigrationJournal
    let options: Options
    let clock: any WallClock
    let report: Mutex<MigrationReport>
    /// What could not be copied, for another reason than one that passes.
    let failed = Mutex<Set<SecretPath>>([])
    /// What values are digested under; thrown away with the run.
    let digestKey = SymmetricKey(size: .bits256)

    /// Makes a run.
    /// - Parameters:
    ///   - source: the store that secrets come from.
    ///   - target: the store that they go to.
    ///   - sourceRecords: the store behind the source's encryption, for the records of the migration.
    ///   - targetRecords: the same of the target.
    ///   - names: the source and the target as people know them.
    ///   - journal: keeps the record.
    ///   - options: how to go about it.
    ///   - clock: dates what is done.
    public init(
        source: any HistoryTransferring, target: any HistoryTransferring, sourceRecords: MigrationRecords,
        targetRecords: MigrationRecords, names: (source: String, target: String), journal: any MigrationJournal,
        options: Options = Options(), clock: any WallClock = SystemWallClock()
    ) {
        self.source = source
        self.target = target
        self.sourceRecords = sourceRecords
        self.targetRecords = targetRecords
        copier = SecretCopier(source: source, target: target)
        self.journal = journal
        self.options = options
        self.clock = clock
        let now = clock.now()
        report = Mutex(
            MigrationReport(source: names.source, target: names.target, startedAt: now, finishedAt: now))
    }

    /// Copies what is missing, verifies all, and where asked and nothing differs cuts over.
    /// - Parameter cutsOver: whether to let the target decide in the end.
    /// - Returns: what was done and found. Differences are a result, not an error.
    /// - Throws: `conflict` if another run took over, if the target has secrets, or the source was cut over to another one;
    ///   `invalid_argument` if both sides are one store; `audit_unavailable`; what the stores throw.
    public func run(cutsOver: Bool) async throws(SecretError) -> MigrationReport {
        if let record = try await finished() { return try await end(record, .success(())) }
        let ledger = try await begin()
        let cursor = CopyCursor(await ledger.record)
        let result = await withTaskGroup(of: Result<Void, SecretError>?.self) { group in
            group.addTask {
                await ledger.keep { cursor.note(in: &$0) }
                return nil
            }
            group.addTask { await self.work(ledger, cursor, cutsOver: cutsOver) }
            var result = Result<Void, SecretError>.success(())
            for await outcome in group {
                guard let outcome else { continue }
                result = outcome
                group.cancelAll()
            }
            return result
        }
        await ledger.release()
        return try await end(await ledger.record, result)
    }

    private func work(
        _ ledger: MigrationLedger, _ cursor: CopyCursor, cutsOver: Bool
    ) async -> Result<Void, SecretError> {
        do throws(SecretError) {
            try await copyAll(ledger, cursor)
            try await verifyAll(ledger)
            noteFailures()
            if cutsOver, report.withLock({ $0.isGood }) { try await cutOver(ledger) }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    func noteFailures() {
        let count = failed.withLock { $0.count }
        report.withLock { $0.failedSecrets = count }
    }

    private func end(
        _ record: MigrationRecord, _ result: Result<Void, SecretError>
    ) async throws(SecretError) -> MigrationReport {
        let done = report.withLock { report in
            report.id = record.id
            report.phase = record.phase
            report.finishedAt = clock.now()
            if case .failure(let error) = result { report.note(error.message) }
            return report
        }
        var failure: SecretError?
        if case .failure(let error) = result { failure = error }
        do throws(SecretError) {
            try await journal.record(.ends(done, failure))
        } catch {
            // What stopped the run says more than that its end could not be recorded either.
            try result.get()
            throw error
        }
        try result.get()
        return done
    }

    /// Gives the migration up: the source decides, alone. What was copied stays in the target.
    /// - Returns: whether there was a migration to give up.
    /// - Throws: `conflict` if it is cut over already.
    public func abort() async throws(SecretError) -> Bool {
        let deadline = Deadline.after(.seconds(60))
        while true {
            guard var (record, version) = try await sourceRecords.versioned(deadline: deadline),
                record.role == .source, record.phase != .aborted
            else { return false }
            guard record.phase != .cutOver else { throw Self.isCutOver(record) }
            try await journal.record(.enters(.aborted, id: record.id))
            record.phase = .aborted
            record.changedAt = clock.now()
            record.lease = nil
            do throws(SecretError) {
                version = try await sourceRecords.write(record, after: version, deadline: deadline)
            } catch  where error.code == .conflict {
                continue
            }
            try await journal.record(.entered(.aborted, id: record.id))
            return true
        }
    }

    static func isCutOver(_ record: MigrationRecord) -> SecretError {
        SecretError(
            .conflict,
            "The migration to \(record.target) was cut over at \(record.changedAt): secrets are there now. To move them "
                + "back, migrate in the other direction.")
    }
}

/// How far the bulk copy is: everything up to this path has been copied once.
final class CopyCursor: Sendable {
    private struct State {
        var through: String?
        var isDone: Bool
    }

    private let state: Mutex<State>

    init(_ record: MigrationRecord) {
        state = Mutex(State(through: record.copiedThrough, isDone: record.isCopied))
    }

    var through: String? { state.withLock { $0.through } }
    var isDone: Bool { state.withLock { $0.isDone } }
    func move(to path: SecretPath) { state.withLock { $0.through = path.text } }
    func finish() { state.withLock { $0.isDone = true } }

    func note(in record: inout MigrationRecord) {
        state.withLock { state in
            record.copiedThrough = state.through
            record.isCopied = state.isDone
        }
    }
}
