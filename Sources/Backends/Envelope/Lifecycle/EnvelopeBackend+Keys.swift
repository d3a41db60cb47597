// Managing keys: the register, checks, rotation, retirement and destruction.

public import PosternProtocol

extension EnvelopeBackend: KeyManagement {
    /// Every key, with its dates.
    public func register(deadline: Deadline) async throws(SecretError) -> KeyRegister {
        var domains: [KeyRegister.Domain] = []
        try await keyring.forEachDomain(deadline: deadline) { (name) throws(SecretError) in
            let record = try await keyring.existing(name, deadline: deadline).record
            domains.append(record.registered(rotateAfter: options.rotateAfter))
        }
        domains.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return KeyRegister(
            domains: domains, keks: keks(in: domains, noted: try await keyring.keks(deadline: deadline)))
    }

    /// The key-encryption keys: those configured, those that wrap something, and those that once did.
    private func keks(in domains: [KeyRegister.Domain], noted: KEKRecord) -> [KeyRegister.KeyEncryptionKey] {
        var keks: [String: KeyRegister.KeyEncryptionKey] = [:]
        func entry(_ about: KeyDescriptor) -> KeyRegister.KeyEncryptionKey {
            KeyRegister.KeyEncryptionKey(
                id: about.id, algorithm: about.algorithm, origin: about.origin, configured: false, wraps: 0,
                firstSeen: nil, rotatedAt: nil, retiredAt: nil, verified: nil, verifiedAt: nil)
        }
        for kek in noted.keks {
            var known = entry(KeyDescriptor(id: kek.id, algorithm: kek.algorithm, origin: kek.origin))
            (known.firstSeen, known.rotatedAt, known.retiredAt) = (kek.firstSeen, kek.rotatedAt, kek.retiredAt)
            keks[kek.id] = known
        }
        for wrap in domains.flatMap(\.keys).flatMap(\.wraps) {
            let about = KeyDescriptor(id: wrap.kek, algorithm: wrap.algorithm, origin: wrap.origin)
            var known = keks[wrap.kek] ?? entry(about)
            known.wraps += 1
            if let made = wrap.wrappedAt { known.firstSeen = known.firstSeen.map { min($0, made) } ?? made }
            keks[wrap.kek] = known
        }
        let report = verification.report
        for wrapper in wrappers {
            let about = wrapper.descriptor
            keks[about.id, default: entry(about)].configured = true
            let result = report?.keks.first { $0.kek == about.id }
            keks[about.id]?.verified = result?.ok
            keks[about.id]?.verifiedAt = result == nil ? nil : report?.verifiedAt
        }
        // While something is wrapped under it, or may be, it is not retired.
        for (id, kek) in keks where kek.configured || kek.wraps > 0 { keks[id]?.retiredAt = nil }
        return keks.values.sorted { $0.id < $1.id }
    }

    /// Opens every version of every domain key with every configured key-encryption key, and compares.
    public func verify(domain: String?, deadline: Deadline) async throws(SecretError) -> KeyVerification {
        var (count, results) = (1, [KeyVerification.Result]())
        if let domain {
            results = try await keyring.verify(domain, patience: options.keyTimeout, deadline: deadline)
        } else {
            try await keyring.noteWrappers(deadline: deadline)
            (count, results) = try await keyring.verifyAll(patience: options.keyTimeout, deadline: deadline)
        }
        for (index, wrapper) in wrappers.enumerated() where results[index].opened + results[index].failed == 0 {
            // Nothing to open says nothing of whether it could.
            let health = await wrapper.health(deadline: min(deadline, .after(options.keyTimeout)))
            guard !health.isReady else { continue }
            results[index].ok = false
            results[index].problem = health.detail
        }
        let report = KeyVerification(verifiedAt: clock.now(), domains: count, keks: results)
        // A look at one domain says nothing good of the others, but something bad of the key.
        if domain == nil || !report.isGood { verification.note(report) }
        return report
    }

    /// What the last check of the key-encryption keys found, for metrics; nil before the first.
    public var lastVerification: KeyVerification? { verification.report }

    /// Makes a new version of a domain's key, for this gateway at once, for others after `keyLifetime` at most.
    public func rotate(
        _ domain: String, dryRun: Bool, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain {
        let (record, _) = try await keyring.rotate(domain, isDryRun: dryRun, deadline: deadline)
        if !dryRun { cache.forgetCurrent(domain) }
        return record.registered(rotateAfter: options.rotateAfter)
    }

    /// Rotates a domain's key if it is as old as the configured age, and no other gateway has done it.
    /// - Returns: the domain after it was rotated; nil if that was not due.
    public func rotateIfDue(_ domain: String, deadline: Deadline) async throws(SecretError) -> KeyRegister.Domain? {
        guard let age = options.rotateAfter else { return nil }
        let (record, isChanged) = try await keyring.rotate(
            domain, ifOlderThan: age, isDryRun: false, deadline: deadline)
        // Another gateway may have been first; its key is used here from now on as well.
        cache.forgetCurrent(domain)
        return isChanged ? record.registered(rotateAfter: age) : nil
    }

    /// Marks a version of a domain's key as retired, if a job of kind `references` that began when nobody could write
    /// under it any more found nothing that names it.
    public func retire(
        _ domain: String, version: Int, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain {
        let jobs = try await jobs(deadline: deadline)
        let record = try await keyring.change(domain, deadline: deadline) { (record) throws(SecretError) in
            guard !record.isDestroyed else { throw record.destroyed }
            guard let index = record.keys.firstIndex(where: { Int($0.version) == version }) else {
                throw SecretError(.notFound, "Domain \(domain) has no key version \(version).")
            }
            guard record.keys[index].retiredAt == nil else { return nil }
            guard record.keys[index].version != record.current else {
                throw SecretError(
                    .invalidArgument, "Version \(version) is the current key of domain \(domain); rotate it first.")
            }
            try check(record.keys[index], domain: domain, jobs)
            var changed = record
            changed.keys[index].retiredAt = clock.now().description
            return changed
        }
        return record.registered(rotateAfter: options.rotateAfter)
    }

    private func check(_ key: KeyringRecord.Key, domain: String, _ jobs: [KeyJob]) throws(SecretError) {
        // Another gateway may go on writing under the key until its own copy is past its lifetime.
        let unusedSince = key.supersededAt.flatMap { Timestamp($0) }?.advanced(by: options.keyLifetime)
        guard let unusedSince, unusedSince <= clock.now() else {
            throw SecretError(
                .conflict,
                "Other gateways may write under version \(key.version) of domain \(domain) until "
                    + "\(unusedSince?.description ?? "it is superseded"); look for references after that.")
        }
        let looked = jobs.first { job in
            job.order.kind == .references && job.state == .done && job.createdAt >= unusedSince
                && (job.order.scope == nil || job.order.scope == domain)
        }
        guard let looked else {
            throw SecretError(
                .conflict,
                "Nobody has looked whether anything names version \(key.version) of domain \(domain) since "
                    + "\(unusedSince); start a job of kind references, and try again when it is done.")
        }
        let found = looked.references.first { $0.domain == domain && $0.version == Int(key.version) }
        if let found, found.count > 0 || found.possible > 0 {
            throw SecretError(
                .conflict,
                "\(found.count) versions of secrets are under version \(key.version) of domain \(domain), and "
                    + "\(found.possible) soft-deleted ones may be. Re-encrypt and destroy the older versions first.")
        }
    }

    /// Asks for a domain's key to be destroyed.
    public func requestDestruction(
        of domain: String, confirmation: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain {
        try await keyring.requestDestruction(
            of: domain, confirmation: confirmation, by: principal, within: options.approvalTime, deadline: deadline
        ).registered(rotateAfter: options.rotateAfter)
    }

    /// Destroys a domain's key, at the request of somebody else.
    public func approveDestruction(
        of domain: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain {
        // Whatever becomes of it: what is in memory can be had again, unless it should not.
        defer { cache.forgetAll(domain) }
        return try await keyring.approveDestruction(of: domain, by: principal, deadline: deadline)
            .registered(rotateAfter: options.rotateAfter)
    }
}
