// A new version of a domain's key, for what is written from now on.

import PosternProtocol

extension Keyring {
    /// Makes a new version of a domain's key the current one.
    /// - Parameters:
    ///   - age: rotate only a key of this age, so that of several gateways on one schedule one does; nil for any.
    ///   - isDryRun: only say what would be.
    /// - Returns: the record, and whether it was, or would be, changed.
    func rotate(
        _ domain: String, ifOlderThan age: Duration? = nil, isDryRun: Bool, deadline: Deadline
    ) async throws(SecretError) -> (record: KeyringRecord, isChanged: Bool) {
        var isChanged = false
        var planned: KeyringRecord?
        let record = try await change(domain, deadline: deadline) { (record) async throws(SecretError) in
            isChanged = false
            guard !record.isDestroyed else { throw record.destroyed }
            let now = clock.now()
            if let age, let due = record.rotation(after: age), due > now { return nil }
            let newest = record.keys.map(\.version).max() ?? 0
            guard newest < UInt32.max else {
                throw SecretError(.internalError, "Domain \(domain) has no version number left for a key.")
            }
            let (key, name) = try makeKey(version: newest + 1)
            let wraps = isDryRun ? [] : try await wrap(key, name, domain: domain, deadline: deadline)
            for wrap in wraps { try await prove(wrap, key, name, domain: domain, deadline: deadline) }
            var changed = record
            for index in changed.keys.indices where changed.keys[index].version == record.current {
                changed.keys[index].supersededAt = now.description
            }
            changed.keys.append(
                KeyringRecord.Key(
                    version: name.version, id: name.id.description, createdAt: now.description, wraps: wraps))
            changed.current = name.version
            isChanged = true
            planned = changed
            return isDryRun ? nil : changed
        }
        return (isDryRun ? planned ?? record : record, isChanged)
    }

    /// Opens a wrap that was just made: a key that cannot be opened again must not come into use.
    func prove(
        _ wrap: KeyringRecord.Wrap, _ key: SecretBytes, _ name: DomainKeyName, domain: String, deadline: Deadline
    ) async throws(SecretError) {
        guard let wrapper = wrappers.first(where: { $0.descriptor.id == wrap.kek }) else { return }
        let binding = KeyringRecord.associatedData(domain: domain, key: name)
        do throws(SecretError) {
            guard try await wrapper.unwrap(Array(wrap.blob), associatedData: binding, deadline: deadline) == key else {
                throw SecretError(.integrityFailure, "it came back different.")
            }
        } catch {
            throw SecretError(
                .keyUnavailable,
                "\(wrap.kek) wraps the key of domain \(domain), but does not open it again: \(error.message)",
                retryAfterSeconds: error.retryAfterSeconds)
        }
    }
}
