// How a secret's whole past moves from one store to another: what writes cannot do, since they always make the next
// version, now.

/// A store that can take over a secret's history as it was elsewhere, and give out what is needed for that.
///
/// For moving secrets between stores only: nothing that serves callers uses it. Whoever restores sees to it that nobody
/// else changes the secret in this store at the same time.
public protocol HistoryTransferring: SecretBackend {
    /// The payload of a version that is kept, whether or not it is soft-deleted.
    /// - Parameters:
    ///   - path: the secret.
    ///   - version: the version's number.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `not_found`, `version_destroyed`.
    func recall(_ path: SecretPath, version: Int, deadline: Deadline) async throws(SecretError) -> Payload

    /// Makes a secret as it is described: the same versions under the same numbers with the same dates and states, the
    /// same settings and labels, the same current version.
    ///
    /// Versions that are there already are left alone, and their payloads are not asked for. So a restoration that was
    /// interrupted goes on where it stopped when it is repeated, and one that is complete changes nothing. Etags are the
    /// store's own, and so is ``SecretDescription/updatedAt`` where it can set no other.
    /// - Parameters:
    ///   - history: the secret as another store describes it.
    ///   - divergence: what to do if this store has the secret with another past than the described one.
    ///   - payload: gives the payload of a version; asked once for each that is missing and not destroyed.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: the numbers of the versions that were written.
    /// - Throws: `conflict` if the secret has another past and `divergence` says to refuse; what `payload` throws;
    ///   `too_large` where the store has no room for all that there is to say about the secret.
    func restore(
        _ history: SecretDescription, onDivergence divergence: HistoryDivergence,
        payload: @Sendable (Int) async throws(SecretError) -> Payload, deadline: Deadline
    ) async throws(SecretError) -> [Int]
}

/// What to do with a secret whose past is not the beginning of the one that is to be restored.
public enum HistoryDivergence: Sendable {
    /// Leave it, and throw `conflict`.
    case refuse
    /// Remove it, and begin anew.
    case replace
}

extension SecretError {
    /// The error of restoring a secret over one that has another past.
    public static func anotherPast(_ path: SecretPath, current: Int) -> SecretError {
        SecretError(
            .conflict, "\(path) is there already, with another past than the one to be restored.",
            currentVersion: current)
    }
}

extension SecretDescription {
    /// Whether a history can be restored by adding to this one, that is, whether what is here is also there.
    ///
    /// Here may be fewer versions, but none that the history does not have, and none destroyed that it still has.
    /// - Parameter history: the history to be restored.
    public func isBeginning(of history: SecretDescription) -> Bool {
        guard path == history.path, createdAt == history.createdAt, currentVersion <= history.currentVersion else {
            return false
        }
        let theirs = Dictionary(history.versions.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let oldest = history.versions.first?.number ?? history.currentVersion + 1
        // Versions are added at the end only: those from the history's oldest to the current one must all be there.
        let kept = versions.count { $0.number >= oldest }
        guard kept == max(currentVersion - oldest + 1, 0) else { return false }
        return versions.allSatisfy { version in
            guard let their = theirs[version.number] else { return version.number < oldest }
            return version.createdAt == their.createdAt && (version.state != .destroyed || their.state == .destroyed)
        }
    }

    /// In what a secret in another store differs from this one, apart from what belongs to each store (etags,
    /// ``updatedAt``); in words, empty if in nothing.
    /// - Parameter other: the secret in the other store.
    public func differences(from other: SecretDescription) -> [String] {
        var differences: [String] = []
        func compare<Value: Equatable>(_ mine: Value, _ theirs: Value, _ what: String) {
            if mine != theirs { differences.append("\(what): \(theirs) instead of \(mine)") }
        }
        compare(path.text, other.path.text, "path")
        compare(currentVersion, other.currentVersion, "current version")
        compare(createdAt, other.createdAt, "creation date")
        compare(metadata.maxVersions, other.metadata.maxVersions, "max_versions")
        compare(
            metadata.deleteVersionAfterSeconds, other.metadata.deleteVersionAfterSeconds,
            "delete_version_after in seconds")
        compare(metadata.casRequired, other.metadata.casRequired, "cas_required")
        if metadata.labels != other.metadata.labels { differences.append("labels") }
        compare(versions.map(\.number), other.versions.map(\.number), "versions kept")
        guard versions.count == other.versions.count else { return differences }
        for (mine, theirs) in zip(versions, other.versions) {
            compare(mine.createdAt, theirs.createdAt, "version \(mine.number), creation date")
            compare(mine.state.rawValue, theirs.state.rawValue, "version \(mine.number), state")
            // Of a destroyed version it does not matter any more when it was deleted.
            if mine.state != .destroyed, theirs.state != .destroyed, mine.deletesAt != theirs.deletesAt {
                differences.append("version \(mine.number), deletion date")
            }
        }
        return differences
    }
}
