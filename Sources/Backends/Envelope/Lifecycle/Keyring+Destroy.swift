// Crypto-shredding: once a domain key's wraps are gone, so is everything under it. Two people have to want it.

import PosternProtocol

extension Keyring {
    /// Notes that somebody asks for a domain's key to be destroyed.
    func requestDestruction(
        of domain: String, confirmation: String, by principal: String, within time: Duration, deadline: Deadline
    ) async throws(SecretError) -> KeyringRecord {
        guard confirmation == domain else {
            throw SecretError(
                .invalidArgument,
                "The confirmation must be the domain's name, \(domain), letter by letter. Destroying its key makes every "
                    + "secret under it unreadable for good.")
        }
        return try await change(domain, deadline: deadline) { (record) throws(SecretError) in
            guard !record.isDestroyed else { throw conflict(record.destroyed.message) }
            let now = clock.now()
            var changed = record
            changed.destruction = KeyringRecord.Destruction(
                requestedAt: now.description, requestedBy: principal,
                expiresAt: now.advanced(by: time).description)
            return changed
        }
    }

    /// Destroys a domain's key: the record loses every wrap, then the store every older version of the record. Once the
    /// first has happened, approving again does the second.
    func approveDestruction(
        of domain: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyringRecord {
        let record = try await change(domain, deadline: deadline) { (record) throws(SecretError) in
            guard !record.isDestroyed else { return nil }
            guard let request = record.destruction else {
                throw conflict("Nobody has asked for the key of domain \(domain) to be destroyed.")
            }
            guard request.requestedBy != principal else {
                throw SecretError(
                    .permissionDenied,
                    "\(principal) asked for the key of domain \(domain) to be destroyed; somebody else must approve.")
            }
            let now = clock.now()
            guard let ends = Timestamp(request.expiresAt), now < ends else {
                throw conflict(
                    "The request to destroy the key of domain \(domain) expired at \(request.expiresAt); ask again.")
            }
            var changed = record
            changed.destruction?.approvedAt = now.description
            changed.destruction?.approvedBy = principal
            for index in changed.keys.indices {
                changed.keys[index].wraps = []
                changed.keys[index].destroyedAt = changed.keys[index].destroyedAt ?? now.description
            }
            return changed
        }
        try await eraseOlderRecords(domain, deadline: deadline)
        return record
    }

    private func conflict(_ message: String) -> SecretError { SecretError(.conflict, message) }
}
