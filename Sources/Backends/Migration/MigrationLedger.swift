// The command's hold on a migration: one command at a time, and only as long as it says so every second.

import PosternProtocol

/// Changes the record of a migration for one run of the command, and keeps its lease.
actor MigrationLedger {
    /// How long a lease lasts without being renewed.
    static let lease: Duration = .seconds(5)
    /// How often it is renewed.
    static let renewal: Duration = .seconds(1)
    private static let patience: Duration = .seconds(30)

    private let records: MigrationRecords
    private let run: String
    private let clock: any WallClock
    private(set) var record: MigrationRecord
    private var version: Int
    /// Until when no other run can have begun.
    private var validUntil: ContinuousClock.Instant
    private var lost: SecretError?

    private init(
        _ records: MigrationRecords, run: String, clock: any WallClock, _ record: MigrationRecord, _ version: Int
    ) {
        self.records = records
        self.run = run
        self.clock = clock
        self.record = record
        self.version = version
        validUntil = .now + Self.lease
    }

    /// Writes a new record, or takes over one that is there.
    /// - Parameter version: the version that it follows.
    static func take(
        _ record: MigrationRecord, after version: Int, in records: MigrationRecords, run: String, clock: any WallClock
    ) async throws(SecretError) -> MigrationLedger {
        let began = ContinuousClock.now
        var record = record
        record.lease = MigrationRecord.Lease(run: run, expiresAt: clock.now().advanced(by: lease))
        let written = try await records.write(record, after: version, deadline: .after(patience))
        let ledger = MigrationLedger(records, run: run, clock: clock, record, written)
        await ledger.begin(at: began)
        return ledger
    }

    private func begin(at began: ContinuousClock.Instant) { validUntil = began + Self.lease }

    /// Makes sure that the migration is still this run's.
    /// - Throws: `conflict` if it is not.
    func check() throws(SecretError) {
        if let lost { throw lost }
        guard validUntil > .now else {
            throw SecretError(
                .backendUnavailable,
                "The record of the migration could not be renewed in time; run the command again to go on.")
        }
    }

    /// Changes the record.
    /// - Throws: `conflict` if the migration is another run's, or somebody else has changed its phase.
    func update(_ change: (inout MigrationRecord) -> Void = { _ in }) async throws(SecretError) {
        if let lost { throw lost }
        while true {
            let began = ContinuousClock.now
            let phase = record.phase
            var next = record
            change(&next)
            if next.phase != phase { next.changedAt = clock.now() }
            next.lease = MigrationRecord.Lease(run: run, expiresAt: clock.now().advanced(by: Self.lease))
            do throws(SecretError) {
                version = try await records.write(next, after: version, deadline: .after(Self.patience))
                record = next
                validUntil = began + Self.lease
                return
            } catch  where error.code == .conflict {
                try await adopt(phase)
            }
        }
    }

    /// Reads the record that is there instead of the one that was known: this run's own, or another's.
    private func adopt(_ phase: MigrationRecord.Phase) async throws(SecretError) {
        guard let found = try await records.versioned(deadline: .after(Self.patience)),
            found.value.lease?.run == run, found.value.id == record.id, found.value.phase == phase
        else {
            let error = SecretError(
                .conflict,
                "The migration was taken over, aborted, or put back to copying by a gateway that thought this command dead."
            )
            lost = error
            throw error
        }
        (record, version) = found
    }

    /// Renews the lease until the task is cancelled.
    /// - Parameter note: what else to write down each time.
    func keep(_ note: @Sendable (inout MigrationRecord) -> Void) async {
        while !Task.isCancelled {
            // Cancelled while asleep means to stop, which the loop's condition sees.
            try? await Task.sleep(for: Self.renewal)
            do throws(SecretError) {
                if !Task.isCancelled { try await update(note) }
            } catch {
                // What is lost is said by the next check; what failed is tried again until the lease runs out.
            }
        }
    }

    /// Gives the lease up, so that the next run need not wait.
    func release() async {
        var last = record
        last.lease = nil
        // Without it, the lease runs out by itself.
        _ = try? await records.write(last, after: version, deadline: .after(.seconds(5)))
    }
}
