// Domain keys under other key-encryption keys: after one was rotated, added or removed.

import PosternProtocol

extension Keyring {
    /// What rewrapping a domain did, or would do.
    struct Rewrapped: Equatable {
        /// The key-encryption keys under which something was wrapped anew.
        var made: Set<String> = []
        /// Those whose wraps were dropped, with when the wrap was made.
        var dropped: [KeyDescriptor: Timestamp] = [:]

        var isChange: Bool { !made.isEmpty || !dropped.isEmpty }
    }

    /// Wraps every version of a domain's key anew under each configured wrapper, where that is called for, and proves
    /// that each new wrap opens. Costs by versions of the domain key, not by secrets.
    /// - Parameters:
    ///   - dropsUnconfigured: also drop wraps under wrappers that are not configured, and destroy older versions of
    ///     the record, which hold them too.
    ///   - isDryRun: only say what would be done.
    func rewrap(
        _ domain: String, dropsUnconfigured: Bool, isDryRun: Bool, deadline: Deadline
    ) async throws(SecretError) -> Rewrapped {
        var done = Rewrapped()
        let record = try await change(domain, deadline: deadline) { (record) async throws(SecretError) in
            done = Rewrapped()
            guard !record.isDestroyed else { return nil }
            var changed = record
            for index in changed.keys.indices where changed.keys[index].destroyedAt == nil {
                changed.keys[index].wraps = try await wraps(
                    of: changed.keys[index], domain: domain, dropsUnconfigured: dropsUnconfigured, isDryRun: isDryRun,
                    &done, deadline: deadline)
            }
            return isDryRun ? nil : changed
        }
        // Also where there was nothing to drop: whoever dropped it may have died before it came to this.
        if dropsUnconfigured, !isDryRun, !record.isDestroyed {
            try await eraseOlderRecords(domain, deadline: deadline)
        }
        return done
    }

    private func wraps(
        of key: KeyringRecord.Key, domain: String, dropsUnconfigured: Bool, isDryRun: Bool, _ done: inout Rewrapped,
        deadline: Deadline
    ) async throws(SecretError) -> [KeyringRecord.Wrap] {
        guard let name = key.name else { throw SecretError(.internalError, "A key of domain \(domain) has no name.") }
        // Whatever is dropped below, a configured wrapper has opened the key here, or this throws.
        let bytes = try await open(key, name, domain: domain, deadline: deadline)
        var wraps: [KeyringRecord.Wrap] = []
        for wrapper in wrappers {
            let id = wrapper.descriptor.id
            if let held = key.wraps.first(where: { $0.kek == id }),
                try await isCurrent(held, wrapper, bytes, name, domain: domain, deadline: deadline)
            {
                wraps.append(held)
                continue
            }
            done.made.insert(id)
            if isDryRun { continue }
            let made = try await wrap(bytes, name, under: wrapper, domain: domain, deadline: deadline)
            try await prove(made, bytes, name, domain: domain, deadline: deadline)
            wraps.append(made)
        }
        let configured = Set(wrappers.map(\.descriptor.id))
        let others = key.wraps.filter { !configured.contains($0.kek) }
        if dropsUnconfigured {
            for wrap in others {
                let about = KeyDescriptor(id: wrap.kek, algorithm: wrap.algorithm, origin: wrap.origin)
                done.dropped[about] = Timestamp(wrap.wrappedAt ?? key.createdAt) ?? clock.now()
            }
        } else {
            wraps += others
        }
        return wraps
    }

    /// Whether a wrap is under what its wrapper uses now, and opens to the same bytes.
    private func isCurrent(
        _ wrap: KeyringRecord.Wrap, _ wrapper: any KeyWrapper, _ bytes: SecretBytes, _ name: DomainKeyName,
        domain: String, deadline: Deadline
    ) async throws(SecretError) -> Bool {
        guard try await !wrapper.needsRewrap(Array(wrap.blob), deadline: deadline) else { return false }
        do throws(SecretError) {
            return try await wrapper.unwrap(
                Array(wrap.blob), associatedData: KeyringRecord.associatedData(domain: domain, key: name),
                deadline: deadline) == bytes
        } catch  where error.code == .integrityFailure {
            return false
        }
    }
}
