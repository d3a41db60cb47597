// Domain keys at rest: finds, unwraps and creates them in the store that holds the secrets.

import Crypto
import FoundationEssentials
import PosternProtocol

struct Keyring: Sendable {
    let store: any SecretBackend
    let wrappers: [any KeyWrapper]
    let clock: any WallClock
    let random: RandomSource

    /// The key that an envelope of a domain names.
    /// - Throws: `integrity_failure` if there is no such key, `key_unavailable` if it cannot be unwrapped now.
    func key(_ name: DomainKeyName, domain: String, deadline: Deadline) async throws(SecretError) -> DomainKey {
        guard let record = try await record(domain, deadline: deadline) else {
            throw SecretError(
                .integrityFailure,
                "Domain \(domain) has encrypted secrets but no key record in the store. Restore "
                    + "\(try path(domain)) from a backup; without it they cannot be read.")
        }
        guard let key = record.key(name) else {
            throw SecretError(
                .integrityFailure,
                "An envelope names a key (version \(name.version)) that domain \(domain) does not have. The "
                    + "envelope was changed or comes from another domain, or the key record is not the newest.")
        }
        return try await unwrap(key, name, domain: domain, deadline: deadline)
    }

    /// The key that new envelopes of a domain use; made if the domain has none and no secrets.
    /// - Throws: `key_unavailable` if it cannot be unwrapped or wrapped now, `integrity_failure` if the domain
    ///   has secrets but no key.
    func currentKey(domain: String, deadline: Deadline) async throws(SecretError) -> DomainKey {
        if let record = try await record(domain, deadline: deadline) {
            return try await current(record, deadline: deadline)
        }
        if try await hasSecrets(domain, deadline: deadline) {
            // Another gateway may have made the key and written between the two looks.
            if let record = try await record(domain, deadline: deadline) {
                return try await current(record, deadline: deadline)
            }
            throw SecretError(
                .integrityFailure,
                "Domain \(domain) has secrets but no key record in the store. If they are encrypted, restore "
                    + "\(try path(domain)) from a backup; if they were stored without encryption, remove them "
                    + "first. No new key is made while they are there.")
        }
        do {
            return try await create(domain, deadline: deadline)
        } catch  where error.code == .conflict {
            // Another gateway was first: its key is the domain's.
            guard let record = try await record(domain, deadline: deadline) else {
                throw SecretError(
                    .backendUnavailable, "The key record of domain \(domain) comes and goes; try again.")
            }
            return try await current(record, deadline: deadline)
        }
    }

    func path(_ domain: String) throws(SecretError) -> SecretPath {
        try KeyringRecord.path(of: domain) { name in SHA256.hash(data: Array(name.utf8)).hexadecimal }
    }

    private func record(_ domain: String, deadline: Deadline) async throws(SecretError) -> KeyringRecord? {
        guard let record = try await stored(domain, deadline: deadline)?.record else { return nil }
        if let destruction = record.destruction, destruction.approvedAt != nil { throw record.destroyed }
        return record
    }

    /// A domain's record with its version in the store, destroyed or not; nil where there is none.
    func stored(
        _ domain: String, deadline: Deadline
    ) async throws(SecretError) -> (record: KeyringRecord, version: Int)? {
        let path = try path(domain)
        do {
            let stored = try await store.read(path, version: nil, deadline: deadline)
            return (try KeyringRecord.parse(stored.payload, domain: domain), stored.info.number)
        } catch {
            switch error.code {
            case .notFound:
                return nil
            case .versionDeleted, .versionDestroyed:
                throw SecretError(
                    .integrityFailure,
                    "The key record of domain \(domain) was deleted. Undelete \(path) in the store, or restore it "
                        + "from a backup.")
            default:
                throw error
            }
        }
    }

    private func hasSecrets(_ domain: String, deadline: Deadline) async throws(SecretError) -> Bool {
        let path = try SecretPath(domain)
        let below = try ListQuery(prefix: PathPrefix(path), recursive: true, limit: 1)
        if try await !store.list(below, deadline: deadline).entries.isEmpty { return true }
        do {
            _ = try await store.describe(path, deadline: deadline)
            return true
        } catch  where error.code == .notFound {
            return false
        }
    }

    private func current(_ record: KeyringRecord, deadline: Deadline) async throws(SecretError) -> DomainKey {
        guard let key = record.currentKey, let name = key.name else {
            throw SecretError(.internalError, "The key record of domain \(record.domain) has no current key.")
        }
        return try await unwrap(key, name, domain: record.domain, deadline: deadline)
    }

    private func create(_ domain: String, deadline: Deadline) async throws(SecretError) -> DomainKey {
        let (key, name) = try makeKey(version: 1)
        let now = clock.now().description
        let record = KeyringRecord(
            format: KeyringRecord.formatName, domain: domain, current: name.version,
            keys: [
                KeyringRecord.Key(
                    version: name.version, id: name.id.description, createdAt: now,
                    wraps: try await wrap(key, name, domain: domain, deadline: deadline))
            ])
        _ = try await store.write(try path(domain), record.payload(), expecting: 0, deadline: deadline)
        return domainKey(key, name)
    }

    /// A new domain key, not yet stored.
    func makeKey(version: UInt32) throws(SecretError) -> (key: SecretBytes, name: DomainKeyName) {
        let key = try random.secret(DomainKey.byteCount)
        let idBytes = try random.bytes(DomainKeyID.byteCount)
        let id = idBytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return DomainKeyID(&reader)
        }
        guard let id else { throw SecretError(.internalError, "A key id could not be made.") }
        return (key, DomainKeyName(id: id, version: version))
    }

    private func domainKey(_ bytes: SecretBytes, _ name: DomainKeyName) -> DomainKey {
        DomainKey(name: name, key: bytes.withUnsafeBytes { SymmetricKey(data: $0) })
    }
}

// Under the key-encryption keys.
extension Keyring {
    /// Wraps a key under each wrapper: a domain that only some of them could open would be no better off
    /// than with one.
    func wrap(
        _ key: SecretBytes, _ name: DomainKeyName, domain: String, deadline: Deadline
    ) async throws(SecretError) -> [KeyringRecord.Wrap] {
        var wraps: [KeyringRecord.Wrap] = []
        for wrapper in wrappers {
            wraps.append(try await wrap(key, name, under: wrapper, domain: domain, deadline: deadline))
        }
        return wraps
    }

    /// Wraps a key under one wrapper.
    func wrap(
        _ key: SecretBytes, _ name: DomainKeyName, under wrapper: any KeyWrapper, domain: String, deadline: Deadline
    ) async throws(SecretError) -> KeyringRecord.Wrap {
        do {
            let blob = try await wrapper.wrap(
                key, associatedData: KeyringRecord.associatedData(domain: domain, key: name), deadline: deadline)
            // Some wrappers know the algorithm only once they have reached their key.
            let about = wrapper.descriptor
            return KeyringRecord.Wrap(
                kek: about.id, algorithm: about.algorithm, origin: about.origin, blob: .init(blob),
                wrappedAt: clock.now().description)
        } catch {
            throw SecretError(
                .keyUnavailable,
                "A new key or wrap for domain \(domain) could not be made under \(wrapper.descriptor.id): "
                    + "\(error.message)",
                retryAfterSeconds: error.retryAfterSeconds)
        }
    }

    /// Unwraps a key with whichever configured wrapper opens it first.
    private func unwrap(
        _ key: KeyringRecord.Key, _ name: DomainKeyName, domain: String, deadline: Deadline
    ) async throws(SecretError) -> DomainKey {
        domainKey(try await open(key, name, domain: domain, deadline: deadline), name)
    }

    /// The bytes of a key, unwrapped with whichever configured wrapper opens it first.
    func open(
        _ key: KeyringRecord.Key, _ name: DomainKeyName, domain: String, deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        let binding = KeyringRecord.associatedData(domain: domain, key: name)
        var failures: [SecretError] = []
        for (position, wrapper) in wrappers.enumerated() {
            for wrap in key.wraps where wrap.kek == wrapper.descriptor.id {
                // One that does not answer leaves the others their share of the time.
                let share = deadline.remaining / (wrappers.count - position)
                do throws(SecretError) {
                    let bytes = try await wrapper.unwrap(
                        Array(wrap.blob), associatedData: binding, deadline: min(deadline, .after(share)))
                    guard bytes.count == DomainKey.byteCount else {
                        throw SecretError(.integrityFailure, "\(wrap.kek) unwrapped \(bytes.count) bytes, not 32.")
                    }
                    return bytes
                } catch {
                    failures.append(error)
                }
            }
        }
        guard !failures.isEmpty else {
            throw SecretError(
                .keyUnavailable,
                "The key of domain \(domain) is wrapped under \(list(key.wraps.map(\.kek))), but this gateway has "
                    + "\(list(wrappers.map(\.descriptor.id))). Configure one that it is wrapped under.")
        }
        // Where one wrapper is down, it may be the one that still opens the key.
        let isDamaged = failures.allSatisfy { $0.code == .integrityFailure }
        throw SecretError(
            isDamaged ? .integrityFailure : .keyUnavailable,
            "The key of domain \(domain) could not be unwrapped: \(failures.map(\.message).joined(separator: " "))",
            retryAfterSeconds: failures.compactMap(\.retryAfterSeconds).min())
    }

    private func list(_ ids: [String]) -> String {
        ids.isEmpty ? "no key" : ids.joined(separator: ", ")
    }
}
