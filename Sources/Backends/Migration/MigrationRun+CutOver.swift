// Cutting over: nobody writes for some seconds, what was written last is copied and compared, and then the target decides.

import PosternProtocol
import Synchronization

extension MigrationRun {
    /// Lets the target decide.
    ///
    /// The moment it does so is one write, by compare-and-set, to the record in the source. Before, anything that fails
    /// takes the migration back to copying; after, the target is told too, so that gateways can start without the source.
    func cutOver(_ ledger: MigrationLedger) async throws(SecretError) {
        // What is marked by now need not be copied while nobody may write.
        try await goOverMarks(ledger, comparing: false)
        try await enter(.draining, ledger)
        do throws(SecretError) {
            try await drain(ledger)
            noteFailures()
            if report.withLock({ $0.isGood }) {
                try await enter(.cutOver, ledger)
            } else {
                try await enter(.copying, ledger)
                return
            }
        } catch {
            // Fails where another run or a gateway has done it already; then there is nothing to take back.
            try? await ledger.update { $0.phase = .copying }
            throw error
        }
        try await tellTarget(await ledger.record)
        do throws(SecretError) {
            try await removeMarks()
        } catch {
            // Nobody looks at them any more.
        }
    }

    private func enter(_ phase: MigrationRecord.Phase, _ ledger: MigrationLedger) async throws(SecretError) {
        let id = await ledger.record.id
        try await journal.record(.enters(phase, id: id))
        try await ledger.update { $0.phase = phase }
        try await journal.record(.entered(phase, id: id))
    }

    private func drain(_ ledger: MigrationLedger) async throws(SecretError) {
        if !options.isExclusive {
            let end = ContinuousClock.now.advanced(by: options.timing.drain)
            while ContinuousClock.now < end {
                journal.show(MigrationProgress(stage: "draining", done: 0, total: nil))
                do {
                    try await Task.sleep(until: min(end, .now + .seconds(1)), clock: .continuous)
                } catch {
                    throw SecretError(.cancelled, "The migration was interrupted; run the command again to go on.")
                }
                try await ledger.check()
            }
        }
        try await goOverMarks(ledger, comparing: true)
        try await matchNames(ledger)
    }

    /// Copies what is marked, and compares it once nobody writes. The marks stay: until then, a change may be under way that
    /// was marked before it.
    private func goOverMarks(_ ledger: MigrationLedger, comparing: Bool) async throws(SecretError) {
        var cursor: String?
        repeat {
            let page = try await sourceRecords.marks(after: cursor, deadline: .after(Self.patience))
            let secrets = Array(Set(page.marks.map(\.secret)))
            try await copy(secrets, ledger)
            for (path, comparison) in comparing ? try await compare(secrets, ledger) : []
            where !comparison.differences.isEmpty {
                report.withLock { $0.note(path, comparison.differences) }
            }
            cursor = page.next
        } while cursor != nil
    }

    /// Writes down in the target that it decides.
    func tellTarget(_ record: MigrationRecord) async throws(SecretError) {
        let deadline = Deadline.after(.seconds(60))
        var told = record
        told.role = .target
        told.lease = nil
        let found = try await targetRecords.versioned(deadline: deadline)
        _ = try await targetRecords.write(told, after: found?.version ?? 0, deadline: deadline)
    }
}
