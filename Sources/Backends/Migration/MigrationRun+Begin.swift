// Taking a migration in hand: a new one, or one that is under way.

import PosternProtocol
import Synchronization

extension MigrationRun {
    private static let soon: Duration = .seconds(60)

    /// The migration, if it was cut over already. A run that died then may not have told the target; this does.
    func finished() async throws(SecretError) -> MigrationRecord? {
        let target = report.withLock { $0.target }
        guard let record = try await sourceRecords.read(deadline: .after(Self.soon)), record.role == .source,
            record.phase == .cutOver
        else { return nil }
        guard record.target == target else { throw Self.isCutOver(record) }
        let told = try await targetRecords.read(deadline: .after(Self.soon))
        if let told, told.id == record.id, told.phase != .cutOver { try await tellTarget(record) }
        return record
    }

    /// Begins a migration or goes on with one, alone.
    func begin() async throws(SecretError) -> MigrationLedger {
        let run = String(UInt128.random(in: 0...UInt128.max), radix: 16)
        let (found, version) = try await free()
        if var found, found.role == .source, found.phase == .copying || found.phase == .draining {
            let target = report.withLock { $0.target }
            guard found.target == target else {
                throw SecretError(
                    .conflict,
                    "A migration to another target, \(found.target), is under way; finish it, or give it up with --abort."
                )
            }
            try await journal.record(.begins(found))
            // A run that died while it drained has checked nothing that counts any more.
            found.phase = .copying
            return try await MigrationLedger.take(found, after: version, in: sourceRecords, run: run, clock: clock)
        }
        let record = newRecord()
        try await checkTarget()
        try await journal.record(.begins(record))
        try await removeMarks()
        let ledger = try await MigrationLedger.take(
            record, after: version, in: sourceRecords, run: run, clock: clock)
        do throws(SecretError) {
            try await claimTarget(for: record)
        } catch {
            // Nothing was copied yet: there is no migration.
            try await ledger.update { $0.phase = .aborted }
            throw error
        }
        return ledger
    }

    /// Removes the marks of an earlier migration. Not while one is under way.
    func removeMarks() async throws(SecretError) {
        while true {
            let marks = try await sourceRecords.marks(after: nil, deadline: .after(Self.soon)).marks
            if marks.isEmpty { return }
            for mark in marks { try await sourceRecords.unmark(mark.place, deadline: .after(Self.soon)) }
        }
    }

    /// The record that is there, once no other run has it.
    private func free() async throws(SecretError) -> (MigrationRecord?, Int) {
        while true {
            guard let (record, version) = try await sourceRecords.versioned(deadline: .after(Self.soon)) else {
                return (nil, 0)
            }
            guard let lease = record.lease, record.phase != .aborted else { return (record, version) }
            let rest = lease.expiresAt.since(clock.now())
            guard rest > .zero else { return (record, version) }
            journal.show(MigrationProgress(stage: "waiting for another run to end", done: 0, total: nil))
            do {
                try await Task.sleep(for: min(rest, .seconds(1)))
            } catch {
                throw SecretError(.cancelled, "The caller gave up while another run was at work.")
            }
        }
    }

    private func newRecord() -> MigrationRecord {
        let now = clock.now()
        let (source, target) = report.withLock { ($0.source, $0.target) }
        return MigrationRecord(
            id: String(UInt128.random(in: 0...UInt128.max), radix: 16), role: .source, phase: .copying, source: source,
            target: target, startedAt: now, changedAt: now)
    }

    /// Makes sure that nobody uses the target, and that nothing in it is lost without being told.
    private func checkTarget() async throws(SecretError) {
        let record = try await targetRecords.read(deadline: .after(Self.soon))
        if let record, record.role == .source, record.phase == .copying || record.phase == .draining {
            throw SecretError(
                .conflict, "The target is the source of a migration that is under way, to \(record.target).")
        }
        // What an earlier attempt has copied is not lost.
        if let record, record.role == .target, record.phase != .cutOver { return }
        guard !options.overwrites else { return }
        var names = SecretNames(target, pageSize: 10)
        guard let first = try await names.take(1).first else { return }
        throw SecretError(
            .conflict,
            "The target has secrets already, as \(first). They would be replaced or removed; say --overwrite if that is wanted."
        )
    }

    /// Writes down in the target which migration it belongs to.
    private func claimTarget(for record: MigrationRecord) async throws(SecretError) {
        let found = try await targetRecords.versioned(deadline: .after(Self.soon))
        guard found?.value.id != record.id else {
            throw SecretError(
                .invalidArgument,
                "Source and target are the same store. To change its keys, use `postern keys rewrap` and `postern keys "
                    + "reencrypt`.")
        }
        var claim = record
        claim.role = .target
        _ = try await targetRecords.write(claim, after: found?.version ?? 0, deadline: .after(Self.soon))
    }
}
