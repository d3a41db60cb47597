// Managing keys through the gateway: authorised, and on record before and after, like every change.

import PosternAudit
import PosternPolicy
public import PosternProtocol

extension Gateway {
    /// Shows every key with its dates.
    public func keyRegister(
        by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyRegister> {
        try await performRead(.manageKeys, nil, of: .listKeys, by: caller, context) {
            (_: inout AuditRecord) async throws(SecretError) in
            try await management().register(deadline: context.deadline)
        }
    }

    /// Shows the jobs on keys, newest first.
    public func keyJobs(by caller: Caller, _ context: RequestContext) async throws(AuditedError) -> Audited<[KeyJob]> {
        try await performRead(.manageKeys, nil, of: .listKeys, by: caller, context) {
            (_: inout AuditRecord) async throws(SecretError) in
            try await management().jobs(deadline: context.deadline)
        }
    }

    /// Checks that every key-encryption key opens what is wrapped under it.
    public func verifyKeys(
        domain: String?, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyVerification> {
        try await performRead(
            .manageKeys, nil, of: .verifyKeys, by: caller, context,
            describe: { report, record in record.detail = report.recorded }
        ) { (_: inout AuditRecord) async throws(SecretError) in
            try await management().verify(domain: domain, deadline: context.deadline)
        }
    }

    /// Makes a new version of a domain's key.
    public func rotateKey(
        of domain: String, dryRun: Bool, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyRegister.Domain> {
        try await changeKey(.rotateKey, ["domain": domain, "dry_run": String(dryRun)], by: caller, context) {
            (keys, _) async throws(SecretError) in
            try await keys.rotate(domain, dryRun: dryRun, deadline: context.deadline)
        }
    }

    /// Orders a job on keys.
    public func startKeyJob(
        _ order: KeyJobOrder, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyJob> {
        let operation: Operation =
            switch order.kind {
            case .rewrap: .rewrapKeys
            case .reencrypt: .reencrypt
            case .references: .findKeyReferences
            }
        return try await performChange(
            .manageKeys, nil, of: operation, by: caller, context, prepare: { $0.detail = order.recorded },
            describe: { job, record in record.detail["job"] = job.id }
        ) { [keys, policies] (_) async throws(SecretError) in
            try await Self.management(keys).start(
                order, by: Self.name(of: caller, policies), deadline: context.deadline)
        }
    }

    /// Retires a version of a domain's key.
    public func retireKey(
        of domain: String, version: Int, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyRegister.Domain> {
        try await changeKey(.retireKey, ["domain": domain, "key_version": String(version)], by: caller, context) {
            (keys, _) async throws(SecretError) in
            try await keys.retire(domain, version: version, deadline: context.deadline)
        }
    }

    /// Asks for a domain's key to be destroyed.
    public func requestKeyDestruction(
        of domain: String, confirmation: String, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyRegister.Domain> {
        try await changeKey(.requestKeyDestruction, ["domain": domain], by: caller, context) {
            (keys, principal) async throws(SecretError) in
            try await keys.requestDestruction(
                of: domain, confirmation: confirmation, by: principal, deadline: context.deadline)
        }
    }

    /// Destroys a domain's key, at the request of another principal.
    public func approveKeyDestruction(
        of domain: String, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<KeyRegister.Domain> {
        try await changeKey(
            .destroyKey, ["domain": domain], by: caller, context,
            describe: { domain, record in record.detail["requested_by"] = domain.destruction?.requestedBy }
        ) { [forgetDomain] (keys, principal) async throws(SecretError) in
            // Before and after: a read under way may remember what it got meanwhile.
            defer { forgetDomain(domain) }
            return try await keys.approveDestruction(of: domain, by: principal, deadline: context.deadline)
        }
    }

    private func changeKey(
        _ operation: Operation, _ detail: [String: String], by caller: Caller, _ context: RequestContext,
        describe: (KeyRegister.Domain, inout AuditRecord) -> Void = { _, _ in },
        act: (any KeyManagement, String) async throws(SecretError) -> KeyRegister.Domain
    ) async throws(AuditedError) -> Audited<KeyRegister.Domain> {
        try await performChange(
            .manageKeys, nil, of: operation, by: caller, context,
            prepare: { record in
                // What a caller sends must not make its own record too large to be written.
                record.detail = detail.mapValues { String($0.prefix(SecretPath.maximumBytes)) }
            }, describe: describe
        ) { (_) async throws(SecretError) in
            try await act(try management(), Self.name(of: caller, policies))
        }
    }

    private func management() throws(SecretError) -> any KeyManagement { try Self.management(keys) }

    private static func management(_ keys: (any KeyManagement)?) throws(SecretError) -> any KeyManagement {
        guard let keys else {
            throw SecretError(
                .invalidArgument, "This gateway stores secrets without encryption, so it has no keys to manage.")
        }
        return keys
    }

    /// The caller's principal; policy has let it through, so there is one.
    private static func name(of caller: Caller, _ policies: PolicyStore) throws(SecretError) -> String {
        guard let principal = caller.credential.flatMap(policies.current.principal(for:)) else {
            throw SecretError(.permissionDenied, "The policy in force does not know you any more.")
        }
        return principal.name
    }
}

extension KeyVerification {
    /// What a record says of a check.
    public var recorded: [String: String] {
        var detail = ["domains": String(domains), "good": String(isGood)]
        for result in keks where !result.ok { detail["failed.\(result.kek)"] = String(result.failed) }
        return detail
    }
}

extension KeyJobOrder {
    /// What a record says of an order.
    var recorded: [String: String] {
        var detail = ["scope": String((scope ?? "all").prefix(SecretPath.maximumBytes)), "dry_run": String(dryRun)]
        if kind == .reencrypt { detail["destroy_old"] = String(destroyOld) }
        if kind == .rewrap { detail["drop_unconfigured"] = String(dropUnconfigured) }
        return detail
    }
}

extension KeyJob {
    /// What a record says of a job that ended.
    public var recorded: [String: String] {
        [
            "job": id, "state": state.rawValue, "seen": String(seen), "changed": String(changed),
            "skipped": String(skipped), "failed": String(failed), "destroyed_versions": String(destroyedVersions),
        ]
    }
}
