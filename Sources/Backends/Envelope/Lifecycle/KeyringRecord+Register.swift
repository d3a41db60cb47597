// A key record as the register shows it: states and dates.

import PosternProtocol

extension KeyringRecord {
    /// What everybody is told who needs a key of this domain after it was destroyed.
    var destroyed: SecretError {
        let when = destruction?.approvedAt ?? "an unknown time"
        let who = destruction.map { "\($0.requestedBy) and \($0.approvedBy ?? "nobody")" } ?? "nobody"
        return SecretError(
            .integrityFailure,
            "The key of domain \(domain) was destroyed at \(when) by \(who). Nothing under it can be read or written "
                + "again; store new secrets in another domain.")
    }

    var isDestroyed: Bool { destruction?.approvedAt != nil }

    func state(of key: Key) -> KeyRegister.State {
        if key.destroyedAt != nil { return .destroyed }
        if key.retiredAt != nil { return .retired }
        return key.version == current ? .active : .superseded
    }

    /// The domain as the register shows it.
    /// - Parameter rotateAfter: how old the key may become.
    func registered(rotateAfter: Duration?) -> KeyRegister.Domain {
        KeyRegister.Domain(
            name: domain, current: Int(current),
            keys: keys.sorted { $0.version < $1.version }.map { key in
                KeyRegister.DomainKey(
                    version: Int(key.version), id: key.id, state: state(of: key), createdAt: Timestamp(key.createdAt),
                    supersededAt: key.supersededAt.flatMap { Timestamp($0) },
                    retiredAt: key.retiredAt.flatMap { Timestamp($0) },
                    destroyedAt: key.destroyedAt.flatMap { Timestamp($0) },
                    wraps: key.wraps.map { wrap in
                        KeyRegister.Wrap(
                            kek: wrap.kek, algorithm: wrap.algorithm, origin: wrap.origin,
                            // Before it was noted, wraps were made together with their key, and never again.
                            wrappedAt: Timestamp(wrap.wrappedAt ?? key.createdAt))
                    })
            },
            nextRotation: isDestroyed ? nil : rotation(after: rotateAfter),
            destruction: destruction.flatMap { destruction in
                guard let asked = Timestamp(destruction.requestedAt), let ends = Timestamp(destruction.expiresAt)
                else { return nil }
                return KeyRegister.Destruction(
                    requestedAt: asked, requestedBy: destruction.requestedBy, expiresAt: ends,
                    approvedAt: destruction.approvedAt.flatMap { Timestamp($0) }, approvedBy: destruction.approvedBy)
            })
    }

    /// When the current key has become so old.
    func rotation(after age: Duration?) -> Timestamp? {
        guard let age, let made = currentKey.flatMap({ Timestamp($0.createdAt) }) else { return nil }
        return made.advanced(by: age)
    }
}
