// The kinds of work that jobs do.

import PosternProtocol
import Synchronization

/// Wraps domain keys anew: an item is a domain.
struct RewrapWork: KeyWork {
    let keyring: Keyring
    let order: KeyJobOrder

    func items(
        after cursor: String?, limit: Int, deadline: Deadline
    ) async throws(SecretError) -> [(name: String, cursor: String)] {
        if let domain = order.scope { return cursor == nil ? [(domain, domain)] : [] }
        let page = try await keyring.domains(after: cursor, limit: limit, deadline: deadline)
        return Array(zip(page.names, page.cursors)).map { (name: $0, cursor: $1) }
    }

    func perform(_ item: String, _ job: inout KeyJob, deadline: Deadline) async throws(SecretError) -> ItemOutcome {
        let done = try await keyring.rewrap(
            item, dropsUnconfigured: order.dropUnconfigured, isDryRun: order.dryRun, deadline: deadline)
        if !order.dryRun { try await keyring.note(done, deadline: deadline) }
        return ItemOutcome(done.isChange ? .changed : .upToDate)
    }
}

/// The secrets in a job's scope: the one at the prefix itself, and all below.
private func secrets(
    in scope: String?, after cursor: String?, limit: Int, _ backend: EnvelopeBackend, deadline: Deadline
) async throws(SecretError) -> [(name: String, cursor: String)] {
    if let scope, cursor == nil {
        do throws(SecretError) {
            _ = try await backend.store.describe(SecretPath(scope), deadline: deadline)
            return [(scope, scope)]
        } catch  where error.code == .notFound {
            // Then there are only those below.
        }
    }
    let prefix: PathPrefix = if let scope { try PathPrefix(scope) } else { .root }
    let page = try await backend.list(
        ListQuery(prefix: prefix, recursive: true, after: cursor, limit: limit), deadline: deadline)
    return page.entries.map { (name: $0.key, cursor: $0.key) }
}

/// Writes secrets under the current domain key: an item is a secret.
final class ReencryptWork: KeyWork {
    /// How often to look again at a secret that somebody else writes meanwhile.
    private static let attempts = 5
    /// How long what was read of a domain's key record is good for: secrets come ordered by domain.
    private static let freshness: Duration = .seconds(1)

    let backend: EnvelopeBackend
    let order: KeyJobOrder
    private let last = Mutex<(domain: String, key: NewestKey, readAt: ContinuousClock.Instant)?>(nil)

    init(backend: EnvelopeBackend, order: KeyJobOrder) {
        self.backend = backend
        self.order = order
    }

    private func newestKey(of domain: String, deadline: Deadline) async throws(SecretError) -> NewestKey {
        if let last = last.withLock({ $0 }), last.domain == domain, last.readAt.duration(to: .now) < Self.freshness {
            return last.key
        }
        let key = try await backend.newestKey(of: domain, deadline: deadline)
        last.withLock { $0 = (domain, key, .now) }
        return key
    }

    func items(
        after cursor: String?, limit: Int, deadline: Deadline
    ) async throws(SecretError) -> [(name: String, cursor: String)] {
        try await secrets(in: order.scope, after: cursor, limit: limit, backend, deadline: deadline)
    }

    func perform(_ item: String, _ job: inout KeyJob, deadline: Deadline) async throws(SecretError) -> ItemOutcome {
        let path = try SecretPath(item)
        let current = try await newestKey(of: String(path.domain), deadline: deadline)
        var outcome = ItemOutcome(.skipped, problem: "\(path): others keep writing it")
        for _ in 0..<Self.attempts {
            do throws(SecretError) {
                outcome = try await move(path, to: current, deadline: deadline)
                break
            } catch {
                switch error.code {
                case .conflict: continue
                case .notFound, .versionDeleted, .versionDestroyed: outcome = ItemOutcome(.skipped)
                default: throw error
                }
                break
            }
        }
        if order.destroyOld, outcome.kind == .changed || outcome.kind == .upToDate {
            outcome.destroyedVersions = try await destroyOlder(path, than: current, deadline: deadline)
            if outcome.destroyedVersions > 0, outcome.kind == .upToDate { outcome.kind = .changed }
        }
        return outcome
    }

    private func move(
        _ path: SecretPath, to current: NewestKey, deadline: Deadline
    ) async throws(SecretError) -> ItemOutcome {
        let stored = try await backend.store.read(path, version: nil, deadline: deadline)
        guard try backend.keyName(of: stored) != current.name else { return ItemOutcome(.upToDate) }
        // Written again it would begin its time anew, and outlive what its owner set.
        guard stored.info.deletesAt == nil else { return ItemOutcome(.skipped) }
        if order.dryRun { return ItemOutcome(.changed) }
        let secret = try await backend.read(path, version: stored.info.number, deadline: deadline)
        _ = try await backend.write(path, secret.payload, expecting: stored.info.number, deadline: deadline)
        return ItemOutcome(.changed)
    }

    /// Destroys the versions before the current one that are under older keys. Of those that are soft-deleted, and so
    /// cannot be looked into, those from before the current key was made.
    private func destroyOlder(
        _ path: SecretPath, than current: NewestKey, deadline: Deadline
    ) async throws(SecretError) -> Int {
        let description = try await backend.store.describe(path, deadline: deadline)
        var old: [Int] = []
        for info in description.versions where info.number < description.currentVersion {
            switch info.state {
            case .destroyed: continue
            case .deleted:
                if info.createdAt < current.createdAt { old.append(info.number) }
            case .available:
                do throws(SecretError) {
                    let stored = try await backend.store.read(path, version: info.number, deadline: deadline)
                    if try backend.keyName(of: stored) != current.name { old.append(info.number) }
                } catch {
                    switch error.code {
                    case .notFound, .versionDeleted, .versionDestroyed: continue
                    default: throw error
                    }
                }
            }
        }
        if !old.isEmpty, !order.dryRun { try await backend.store.destroy(path, versions: old, deadline: deadline) }
        return old.count
    }
}

/// Counts what names which domain key: an item is a secret.
struct ReferencesWork: KeyWork {
    /// How far the store's clock and the gateways' may be apart.
    private static let skew: Duration = .seconds(300)

    let backend: EnvelopeBackend
    let order: KeyJobOrder

    func items(
        after cursor: String?, limit: Int, deadline: Deadline
    ) async throws(SecretError) -> [(name: String, cursor: String)] {
        try await secrets(in: order.scope, after: cursor, limit: limit, backend, deadline: deadline)
    }

    func perform(_ item: String, _ job: inout KeyJob, deadline: Deadline) async throws(SecretError) -> ItemOutcome {
        let path = try SecretPath(item)
        let domain = String(path.domain)
        let description: SecretDescription
        do throws(SecretError) {
            description = try await backend.store.describe(path, deadline: deadline)
        } catch  where error.code == .notFound {
            return ItemOutcome(.skipped)
        }
        var hidden: [Timestamp] = []
        var found: [Int: Int] = [:]
        for info in description.versions where info.state != .destroyed {
            guard info.state == .available else {
                hidden.append(info.createdAt)
                continue
            }
            do throws(SecretError) {
                let stored = try await backend.store.read(path, version: info.number, deadline: deadline)
                found[Int(try backend.keyName(of: stored).version), default: 0] += 1
            } catch {
                switch error.code {
                case .notFound, .versionDestroyed: continue
                case .versionDeleted: hidden.append(info.createdAt)
                default: throw error
                }
            }
        }
        // Only a whole secret is counted: one that fails half way is gone over again.
        for (version, count) in found { job.add(count, possible: 0, domain, version) }
        if !hidden.isEmpty {
            let record = try await backend.keyring.existing(domain, deadline: deadline).record
            for key in record.keys {
                guard let made = Timestamp(key.createdAt) else { continue }
                let count = hidden.count { $0.advanced(by: Self.skew) >= made }
                if count > 0 { job.add(0, possible: count, domain, Int(key.version)) }
            }
        }
        return ItemOutcome(.upToDate)
    }
}

extension KeyJob {
    fileprivate mutating func add(_ count: Int, possible: Int, _ domain: String, _ version: Int) {
        if let index = references.firstIndex(where: { $0.domain == domain && $0.version == version }) {
            references[index].count &+= count
            references[index].possible &+= possible
        } else {
            references.append(Reference(domain: domain, version: version, count: count, possible: possible))
        }
    }
}
