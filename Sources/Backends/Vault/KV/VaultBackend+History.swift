// Taking over a secret's history from another store, as far as a KV v2 engine lets it: numbers by writing as many
// versions, dates in custom metadata.

import NIOCore
public import PosternProtocol

extension VaultBackend: HistoryTransferring {
    /// What stands for a version that is destroyed, or no longer kept, where only its number is needed.
    private static let placeholderField = "postern.placeholder"

    /// The payload of a version that is kept, whether or not it is soft-deleted.
    ///
    /// Vault gives out no deleted version, so it is undeleted for the length of a read. Custom metadata says so meanwhile,
    /// so that Postern goes on calling it deleted, with its date, also if this is cut short; then the next call deletes
    /// it again. Who asks Vault itself can read it for that moment.
    public func recall(_ path: SecretPath, version: Int, deadline: Deadline) async throws(SecretError) -> Payload {
        do {
            return try await read(path, version: version, deadline: deadline).payload
        } catch  where error.code == .versionDeleted {
            return try await uninterrupted { [self] () throws(SecretError) in
                try await recallDeleted(path, version, deadline: deadline)
            }
        }
    }

    private func recallDeleted(
        _ path: SecretPath, _ version: Int, deadline: Deadline
    ) async throws(SecretError) -> Payload {
        var secret = try await metadata(path, deadline: deadline)
        guard let found = secret.versions[version] else { throw .notFound(path, version: version) }
        let info = try found.info(number: version, at: clock.now(), secret.history, clock)
        var history = secret.history
        // One that was left undeleted is deleted again too.
        let isDeletedByVault = found.deletedAt != nil || history.versions[version]?.basis == .recall
        history.versions[version] = KVHistory.Dates(
            created: info.createdAt, deletes: info.deletesAt, basis: .recall)
        secret = try await keep(history, of: secret, path, deadline: deadline)
        if found.deletedAt != nil { try await change("undelete", [version], path, deadline: deadline) }
        let payload: Result<Payload, SecretError>
        do throws(SecretError) {
            let answer = try await mount.ask(
                .get(mount.url("data", path) + "?version=\(version)"), deadline: deadline)
            guard answer.isSuccess, let json = try KVRead(answer).json else {
                throw .versionDestroyed(path, version: version)
            }
            payload = .success(try PayloadEncoding.decode(json, "Version \(version) of \(path)"))
        } catch {
            payload = .failure(error)
        }
        if isDeletedByVault { try await change("delete", [version], path, deadline: deadline) }
        secret = try await metadata(path, deadline: deadline)
        history = secret.history
        history.versions[version]?.basis = secret.versions[version]?.deletedAt.map { .vault($0) } ?? .none
        _ = try await keep(history, of: secret, path, deadline: deadline)
        return try payload.get()
    }

    /// Makes a secret as another store describes it, but for ``SecretDescription/updatedAt``.
    ///
    /// A number that is not 1 takes as many writes; those before the oldest version that is kept, and destroyed ones,
    /// are written without content. If this is cut short between the first version and its date, what is there is taken
    /// for another past, and only `replace` goes on.
    public func restore(
        _ history: SecretDescription, onDivergence divergence: HistoryDivergence,
        payload: @Sendable (Int) async throws(SecretError) -> Payload, deadline: Deadline
    ) async throws(SecretError) -> [Int] {
        let path = history.path
        var there = try await metadataIfThere(path, deadline: deadline)
        if let found = there {
            let description = try found.description(path, at: clock)
            if description.differences(from: history).isEmpty { return [] }
            if !description.isBeginning(of: history) {
                guard divergence == .replace else { throw .anotherPast(path, current: description.currentVersion) }
                try await removeIfThere(path, deadline: deadline)
                there = nil
            }
        }
        var written: [Int] = []
        let kept = Dictionary(history.versions.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let first = there.map { $0.current + 1 } ?? 1
        if first <= history.currentVersion {
            if let found = there { there = try await prepare(found, for: history, deadline: deadline) }
            for number in first...history.currentVersion {
                let content = kept[number].map { $0.state != .destroyed } ?? false
                let body = content ? try await payload(number) : try Self.placeholder
                _ = try await write(path, body, expecting: number - 1, deadline: deadline)
                if content { written.append(number) }
                if there == nil {
                    there = try await prepare(
                        try await metadata(path, deadline: deadline), for: history, deadline: deadline)
                }
            }
        }
        try await finish(history, deadline: deadline)
        return written
    }

    private static var placeholder: Payload {
        get throws(SecretError) { try Payload([Payload.Field(name: placeholderField, value: SecretBytes(""))]) }
    }

    private func removeIfThere(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        do throws(SecretError) {
            try await remove(path, deadline: deadline)
        } catch  where error.code == .notFound {
            // Gone by itself.
        }
    }

    /// Before versions are added: their dates, and that as many are kept as there are to be.
    private func prepare(
        _ secret: KVMetadata, for history: SecretDescription, deadline: Deadline
    ) async throws(SecretError) -> KVMetadata {
        let oldest = history.versions.first?.number ?? history.currentVersion
        var dates = secret.history
        dates.created = history.createdAt
        for version in history.versions where dates.versions[version.number]?.created != version.createdAt {
            dates.versions[version.number] = KVHistory.Dates(created: version.createdAt)
        }
        dates.versions = dates.versions.filter { $0.key >= oldest }
        try Self.check(dates, fit: history)
        let change = MetadataChange(
            maxVersions: max(history.currentVersion - oldest + 1, 1), deleteVersionAfterSeconds: 0)
        return try await keep(dates, of: secret, history.path, change, deadline: deadline)
    }

    /// Once all versions are there: their states, and the dates, settings and labels.
    private func finish(_ history: SecretDescription, deadline: Deadline) async throws(SecretError) {
        let path = history.path
        var secret = try await metadata(path, deadline: deadline)
        let now = clock.now()
        var changes: [String: [Int]] = [:]
        for version in history.versions {
            guard let there = secret.versions[version.number], !there.isDestroyed else { continue }
            let isDeleted = there.deletedAt.map { $0.timestamp <= now } ?? false
            switch version.state {
            case .destroyed: changes["destroy", default: []].append(version.number)
            case .deleted: if !isDeleted { changes["delete", default: []].append(version.number) }
            case .available: if isDeleted { changes["undelete", default: []].append(version.number) }
            }
        }
        for (part, numbers) in changes.sorted(by: { $0.key < $1.key }) {
            try await change(part, numbers, path, deadline: deadline)
        }
        if !changes.isEmpty { secret = try await metadata(path, deadline: deadline) }

        var dates = KVHistory(created: history.createdAt)
        for version in history.versions {
            var entry = KVHistory.Dates(created: version.createdAt)
            if version.state != .destroyed, let deletes = version.deletesAt {
                entry.deletes = deletes
                entry.basis = secret.versions[version.number]?.deletedAt.map { .vault($0) } ?? .none
            }
            dates.versions[version.number] = entry
        }
        try Self.check(dates, fit: history)
        let metadata = history.metadata
        var change = MetadataChange(
            maxVersions: metadata.maxVersions, deleteVersionAfterSeconds: metadata.deleteVersionAfterSeconds,
            casRequired: metadata.casRequired, labels: metadata.labels.mapValues { $0 })
        for name in secret.settings.labels.keys where metadata.labels[name] == nil {
            change.labels.updateValue(nil, forKey: name)
        }
        _ = try await keep(dates, of: secret, path, change, deadline: deadline)
    }

    /// Drops what is kept of versions' deletions, once they are undeleted.
    func forgetDeletions(_ path: SecretPath, of versions: [Int], deadline: Deadline) async throws(SecretError) {
        let secret = try await metadata(path, deadline: deadline)
        var history = secret.history
        for number in versions where history.versions[number]?.deletes != nil {
            history.versions[number]?.deletes = nil
            history.versions[number]?.basis = .none
        }
        guard history != secret.history else { return }
        _ = try await keep(history, of: secret, path, deadline: deadline)
    }

    private func keep(
        _ history: KVHistory, of secret: KVMetadata, _ path: SecretPath, _ change: MetadataChange = MetadataChange(),
        deadline: Deadline
    ) async throws(SecretError) -> KVMetadata {
        try await changeMetadata(path, change, own: history.change(from: secret.history), deadline: deadline)
    }

    private func change(
        _ part: String, _ versions: [Int], _ path: SecretPath, deadline: Deadline
    ) async throws(SecretError) {
        try deadline.check("versions of \(path) were changed")
        let body = ByteBuffer(string: "{\"versions\":[\(versions.map(String.init).joined(separator: ","))]}")
        _ = try await mount.need(.post(mount.url(part, path), body, isRepeatable: true), deadline: deadline)
    }

    private static func check(_ dates: KVHistory, fit history: SecretDescription) throws(SecretError) {
        guard history.metadata.labels.count + dates.entries.count <= SecretMetadata.maximumLabels else {
            throw SecretError(
                .tooLarge,
                "Vault has no room for the dates of \(history.versions.count) versions of \(history.path) beside its "
                    + "\(history.metadata.labels.count) labels: custom metadata has \(SecretMetadata.maximumLabels) "
                    + "entries. Remove labels or destroyed versions.")
        }
    }
}
