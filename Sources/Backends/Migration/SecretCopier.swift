// Brings the target's copy of one secret up to date, and compares the two.

public import PosternProtocol

/// Copies secrets from one store to another.
public struct SecretCopier: Sendable {
    /// The store that decides.
    let source: any SecretBackend & HistoryTransferring
    /// The store that follows.
    let target: any SecretBackend & HistoryTransferring

    /// Makes a copier.
    public init(source: any HistoryTransferring, target: any HistoryTransferring) {
        self.source = source
        self.target = target
    }

    /// What became of a copy.
    struct Outcome: Sendable {
        /// The versions that were written to the target.
        var written: [Int] = []
        /// Whether anything was changed there.
        var isChanged = false
        /// Whether the source changed meanwhile, or another past was replaced: then somebody else may be copying the same
        /// secret, and it has to be looked at again once nobody writes.
        var isContended = false
    }

    /// Brings the copy up to date: until the source says the same after as before.
    /// - Parameters:
    ///   - divergence: what to do if the target has the secret with another past.
    ///   - willChange: called before the target is changed.
    func copy(
        _ path: SecretPath, onDivergence divergence: HistoryDivergence, deadline: Deadline,
        willChange: (SecretDescription?) async throws(SecretError) -> Void = { _ in }
    ) async throws(SecretError) -> Outcome {
        var outcome = Outcome()
        var before = try await description(path, in: source, deadline: deadline)
        while true {
            try deadline.check("\(path) was copied")
            let there = try await description(path, in: target, deadline: deadline)
            if try await follow(path, before, there, divergence, deadline, willChange, &outcome) {
                outcome.isChanged = true
            }
            let after = try await description(path, in: source, deadline: deadline)
            if Self.isSame(before, after) { return outcome }
            before = after
            outcome.isContended = true
        }
    }

    private func follow(
        _ path: SecretPath, _ wanted: SecretDescription?, _ there: SecretDescription?,
        _ divergence: HistoryDivergence, _ deadline: Deadline,
        _ willChange: (SecretDescription?) async throws(SecretError) -> Void, _ outcome: inout Outcome
    ) async throws(SecretError) -> Bool {
        guard let wanted else {
            guard there != nil else { return false }
            try await willChange(nil)
            try await removeCopy(path, deadline: deadline)
            return true
        }
        if let there {
            if wanted.differences(from: there).isEmpty { return false }
            if !there.isBeginning(of: wanted) { outcome.isContended = true }
        }
        try await willChange(wanted)
        let source = source
        outcome.written += try await target.restore(
            wanted, onDivergence: divergence,
            payload: { (number) async throws(SecretError) in
                try await source.recall(path, version: number, deadline: deadline)
            }, deadline: deadline)
        return true
    }

    private func removeCopy(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        do throws(SecretError) {
            try await target.remove(path, deadline: deadline)
        } catch  where error.code == .notFound {
            // Gone by itself.
        }
    }

    private func description(
        _ path: SecretPath, in store: any SecretBackend, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription? {
        do throws(SecretError) {
            return try await store.describe(path, deadline: deadline)
        } catch  where error.code == .notFound {
            return nil
        }
    }

    private static func isSame(_ a: SecretDescription?, _ b: SecretDescription?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return a.differences(from: b).isEmpty && a.versions.map(\.etag) == b.versions.map(\.etag)
    }

    /// What a comparison found.
    struct Comparison: Sendable {
        /// In what the copy differs, in words without values; empty if in nothing.
        var differences: [String]
        /// Each side's account of the secret, for digests.
        var source: Account?
        var target: Account?
    }

    /// A secret with the payloads of all versions that are not destroyed, one at a time in memory.
    struct Account: Sendable {
        var description: SecretDescription
        /// A keyed digest of each payload.
        var payloads: [Int: [UInt8]]
    }

    /// Compares all that there is of a secret on both sides, values byte by byte.
    /// - Parameter digest: makes a keyed digest of a payload.
    func compare(
        _ path: SecretPath, deadline: Deadline, digest: (Payload) -> [UInt8]
    ) async throws(SecretError) -> Comparison {
        let mine = try await description(path, in: source, deadline: deadline)
        let theirs = try await description(path, in: target, deadline: deadline)
        var comparison = Comparison(
            differences: [], source: mine.map { Account(description: $0, payloads: [:]) },
            target: theirs.map { Account(description: $0, payloads: [:]) })
        guard let mine, let theirs else {
            if mine != nil { comparison.differences = ["missing in the target"] }
            if theirs != nil { comparison.differences = ["only in the target"] }
            return comparison
        }
        comparison.differences = mine.differences(from: theirs)
        let arrived = Set(theirs.versions.filter { $0.state != .destroyed }.map(\.number))
        for version in mine.versions where version.state != .destroyed && arrived.contains(version.number) {
            let original = try await source.recall(path, version: version.number, deadline: deadline)
            comparison.source?.payloads[version.number] = digest(original)
            do throws(SecretError) {
                let copy = try await target.recall(path, version: version.number, deadline: deadline)
                comparison.target?.payloads[version.number] = digest(copy)
                if original != copy { comparison.differences.append("version \(version.number), value") }
            } catch  where error.code == .integrityFailure {
                comparison.differences.append("version \(version.number) cannot be read: \(error.message)")
            }
        }
        return comparison
    }
}
