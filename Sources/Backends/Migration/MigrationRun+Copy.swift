// Copying: everything once, what is only in the target out of it, and what is marked.

import PosternProtocol
import Synchronization

extension MigrationRun {
    /// How often a secret is tried that cannot be copied for a reason that passes.
    private static let attempts = 5

    /// Copies every secret that is not known to have been copied, and removes what only the target has.
    func copyAll(_ ledger: MigrationLedger, _ cursor: CopyCursor) async throws(SecretError) {
        if !cursor.isDone {
            let total = try await count(after: cursor.through)
            var names = SecretNames(source, after: cursor.through)
            var done = 0
            let began = ContinuousClock.now
            while true {
                // Small batches: a killed run copies at most one again.
                let batch = try await names.take(options.concurrency * 4)
                guard let last = batch.last else { break }
                try await copy(batch, ledger)
                cursor.move(to: last)
                done += batch.count
                journal.show(MigrationProgress(stage: "copying", done: done, total: max(total, done)))
                try await pace(done, since: began)
            }
        }
        try await matchNames(ledger)
        cursor.finish()
    }

    private func count(after cursor: String?) async throws(SecretError) -> Int {
        var names = SecretNames(source, after: cursor, pageSize: 1_000)
        var count = 0
        while true {
            let page = try await names.take(1_000)
            if page.isEmpty { return count }
            count += page.count
            journal.show(MigrationProgress(stage: "counting", done: count, total: nil))
        }
    }

    /// Holds to the rate.
    func pace(_ done: Int, since began: ContinuousClock.Instant) async throws(SecretError) {
        guard options.rate > 0 else { return }
        do {
            try await Task.sleep(
                until: began.advanced(by: .seconds(Double(done) / Double(options.rate))), clock: .continuous)
        } catch {
            throw SecretError(.cancelled, "The migration was interrupted; run the command again to go on.")
        }
    }

    /// Copies what only one side has: removals and creations that the copying has passed by.
    func matchNames(_ ledger: MigrationLedger) async throws(SecretError) {
        var names = MergedNames(source, target)
        while let name = try await names.next() {
            if name.isInSource != name.isInTarget { try await copy([name.path], ledger) }
        }
    }

    /// Copies secrets, several at a time.
    /// - Throws: what concerns more than one secret.
    func copy(_ paths: [SecretPath], _ ledger: MigrationLedger) async throws(SecretError) {
        let failure = await withTaskGroup(of: Result<Void, SecretError>.self) { group in
            var failure: SecretError?
            func take(_ result: Result<Void, SecretError>) {
                if case .failure(let error) = result, failure == nil { failure = error }
            }
            for (index, path) in paths.enumerated() {
                if index >= options.concurrency, let result = await group.next() { take(result) }
                guard failure == nil else { break }
                group.addTask {
                    do throws(SecretError) {
                        return .success(try await self.copy(path, ledger))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for await result in group { take(result) }
            return failure
        }
        if let failure { throw failure }
    }

    private func copy(_ path: SecretPath, _ ledger: MigrationLedger) async throws(SecretError) {
        var pause: Duration = .milliseconds(200)
        for attempt in 1... {
            do throws(SecretError) {
                return try await copyOnce(path, ledger)
            } catch {
                try await ledger.check()
                switch error.code {
                case .auditUnavailable, .cancelled: throw error
                default: break
                }
                guard error.code.isTransient || error.code == .conflict, attempt < Self.attempts else {
                    if error.code.isTransient { throw error }
                    let isNew = failed.withLock { $0.insert(path).inserted }
                    if isNew { report.withLock { $0.note("\(path): \(error.message)") } }
                    return
                }
                // Cancelled while asleep: the next attempt says so.
                try? await Task.sleep(for: pause)
                pause *= 2
            }
        }
    }

    private func copyOnce(_ path: SecretPath, _ ledger: MigrationLedger) async throws(SecretError) {
        try await ledger.check()
        let deadline = Deadline.after(Self.patience)
        var isRemoval = false
        let outcome: SecretCopier.Outcome
        var isRecorded = false
        do throws(SecretError) {
            outcome = try await copier.copy(path, onDivergence: .replace, deadline: deadline) {
                (wanted) async throws(SecretError) in
                try await journal.record(.changes(path, to: wanted))
                isRecorded = true
                isRemoval = wanted == nil
                try await ledger.check()
            }
        } catch {
            if isRecorded, error.code != .auditUnavailable {
                try await journal.record(.changed(path, versions: [], error))
            }
            throw error
        }
        // Somebody else may have copied an older state over a newer one meanwhile.
        if outcome.isContended, !options.isExclusive { _ = try await sourceRecords.mark(path, deadline: deadline) }
        failed.withLock { _ = $0.remove(path) }
        guard outcome.isChanged else { return }
        try await journal.record(.changed(path, versions: outcome.written, nil))
        report.withLock { report in
            report.copiedVersions += outcome.written.count
            if isRemoval { report.removedSecrets += 1 } else { report.copiedSecrets += 1 }
        }
    }
}
