// Verifying: everything on both sides, value by value.

import PosternProtocol
import Synchronization

extension MigrationRun {
    /// How often a secret is looked at again that changes while it is compared.
    private static let looks = 3

    /// Compares everything on both sides. What differs because it has just changed is copied and compared again; what
    /// differs in value is reported, or copied anew where that is wanted.
    func verifyAll(_ ledger: MigrationLedger) async throws(SecretError) {
        var mine = AccountDigest(key: digestKey)
        var theirs = AccountDigest(key: digestKey)
        var names = MergedNames(source, target)
        var done = 0
        let began = ContinuousClock.now
        while true {
            var batch: [SecretPath] = []
            while batch.count < options.concurrency * 4, let name = try await names.next() { batch.append(name.path) }
            if batch.isEmpty { break }
            try await ledger.check()
            for (path, comparison) in try await compare(batch, ledger) {
                if let account = comparison.source { mine.add(account) }
                if let account = comparison.target { theirs.add(account) }
                report.withLock { report in
                    report.comparedSecrets += 1
                    report.comparedVersions += comparison.source?.description.versions.count ?? 0
                    if !comparison.differences.isEmpty { report.note(path, comparison.differences) }
                }
            }
            done += batch.count
            let total = report.withLock { $0.comparedSecrets }
            journal.show(MigrationProgress(stage: "verifying", done: total, total: nil))
            try await pace(done, since: began)
        }
        report.withLock { report in
            (report.sourceDigest, report.sourceValuesDigest) = (mine.text, mine.valuesText)
            (report.targetDigest, report.targetValuesDigest) = (theirs.text, theirs.valuesText)
        }
    }

    /// Compares secrets, several at a time.
    /// - Returns: the comparisons in the order of the paths.
    func compare(
        _ paths: [SecretPath], _ ledger: MigrationLedger
    ) async throws(SecretError) -> [(SecretPath, SecretCopier.Comparison)] {
        let results = await withTaskGroup(of: (Int, Result<SecretCopier.Comparison, SecretError>).self) { group in
            var results: [Int: Result<SecretCopier.Comparison, SecretError>] = [:]
            for (index, path) in paths.enumerated() {
                if index >= options.concurrency, let (index, result) = await group.next() { results[index] = result }
                group.addTask {
                    do throws(SecretError) {
                        return (index, .success(try await self.compare(path, ledger)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            for await (index, result) in group { results[index] = result }
            return results
        }
        var comparisons: [(SecretPath, SecretCopier.Comparison)] = []
        for (index, path) in paths.enumerated() {
            guard let result = results[index] else { continue }
            comparisons.append((path, try result.get()))
        }
        return comparisons
    }

    /// Compares one secret, and again while it changes.
    func compare(_ path: SecretPath, _ ledger: MigrationLedger) async throws(SecretError) -> SecretCopier.Comparison {
        var look = 1
        while true {
            let deadline = Deadline.after(Self.patience)
            var comparison: SecretCopier.Comparison
            do throws(SecretError) {
                comparison = try await copier.compare(path, deadline: deadline) { AccountDigest.of($0, key: digestKey) }
            } catch {
                // A version that went away between two looks.
                switch error.code {
                case .notFound, .versionDestroyed:
                    guard look < Self.looks else { throw error }
                    comparison = SecretCopier.Comparison(differences: ["it changes"])
                case .integrityFailure:
                    return SecretCopier.Comparison(differences: ["it cannot be read in the source: \(error.message)"])
                default: throw error
                }
            }
            if comparison.differences.isEmpty || look == Self.looks { return comparison }
            if look == Self.looks - 1, options.repairs { try await discard(path, ledger) }
            try await copy([path], ledger)
            look += 1
        }
    }

    /// Removes a copy that is not what it should be, so that it is made anew.
    private func discard(_ path: SecretPath, _ ledger: MigrationLedger) async throws(SecretError) {
        try await ledger.check()
        try await journal.record(.changes(path, to: nil))
        do throws(SecretError) {
            try await target.remove(path, deadline: .after(Self.patience))
        } catch  where error.code == .notFound {
            // Gone by itself.
        }
        try await journal.record(.changed(path, versions: [], nil))
    }
}
