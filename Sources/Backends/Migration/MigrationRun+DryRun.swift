// What a migration would do: looks at both sides and changes nothing.

public import PosternProtocol
import Synchronization

extension MigrationRun {
    /// Counts what would be copied and removed, by descriptions alone: no value is read, nothing is written.
    public func dryRun() async throws(SecretError) -> MigrationReport {
        var names = MergedNames(source, target)
        var seen = 0
        while let name = try await names.next() {
            let deadline = Deadline.after(Self.patience)
            seen += 1
            journal.show(MigrationProgress(stage: "looking", done: seen, total: nil))
            guard name.isInSource else {
                report.withLock { $0.removedSecrets += 1 }
                continue
            }
            do throws(SecretError) {
                let wanted = try await source.describe(name.path, deadline: deadline)
                let there = name.isInTarget ? try await target.describe(name.path, deadline: deadline) : nil
                if let there, wanted.differences(from: there).isEmpty { continue }
                let known = there.map { $0.isBeginning(of: wanted) ? $0.currentVersion : 0 } ?? 0
                report.withLock { report in
                    report.copiedSecrets += 1
                    report.copiedVersions += wanted.versions.count { $0.number > known && $0.state != .destroyed }
                }
            } catch  where error.code == .notFound {
                // Gone between the list and the look.
            }
        }
        return report.withLock { report in
            report.finishedAt = clock.now()
            return report
        }
    }
}
