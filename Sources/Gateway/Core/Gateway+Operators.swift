// What operators do through the gateway: ask what policy says, read the audit log, reload; and what the
// gateway records about itself.

import PosternAudit
public import PosternPolicy
public import PosternProtocol

extension Gateway {
    /// Says what policy answers to a request and why, with the matcher that enforces it.
    /// - Parameters:
    ///   - principal: who would ask.
    ///   - action: what it would ask for.
    ///   - path: for which secret, or nil for gateway-wide actions.
    ///   - caller: who wants to know.
    ///   - context: under what circumstances.
    public func explainPolicy(
        _ principal: PrincipalID, _ action: Action, _ path: SecretPath?, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<Explanation> {
        let policy = policies.current
        return try await performRead(
            .explainPolicy, nil, of: .explainPolicy, by: caller, context,
            describe: { _, record in
                record.detail = ["about": principal.name, "about_action": action.rawValue]
                if let path { record.detail["about_path"] = path.text }
            }
        ) { [clock] _ throws(SecretError) in
            guard policy.principals.contains(principal) else {
                throw SecretError(.notFound, "The policy names no principal \"\(principal.name)\".")
            }
            return policy.explain(
                AccessRequest(
                    principal: principal, action: action, path: path,
                    context: AccessContext(time: clock.now(), address: nil, reason: nil, approver: nil)))
        }
    }

    /// SHA-256 of the policy file in force, lower-case hex.
    public var policySHA256: String { policies.loaded.sha256 }

    /// Authorises and records a look at the audit log itself, then takes it.
    /// - Parameters:
    ///   - caller: who wants to know.
    ///   - context: under what circumstances.
    ///   - read: reads the log.
    public func readAudit<Value: Sendable>(
        by caller: Caller, _ context: RequestContext, _ read: () async throws(SecretError) -> Value
    ) async throws(AuditedError) -> Audited<Value> {
        try await performRead(.readAudit, nil, of: .readAudit, by: caller, context) { _ async throws(SecretError) in
            try await read()
        }
    }

    /// Puts the policy file's present content in force, and records both hashes: before it takes effect, and after.
    /// - Throws: `invalid_argument` naming each problem, `audit_unavailable`; the old policy stays in force.
    public func reloadPolicy(requestID: String) async throws(AuditedError) {
        var record = systemRecord(.reloadPolicy, requestID: requestID)
        record.detail["old_sha256"] = policies.loaded.sha256
        let new: PolicyStore.Loaded
        do throws(SecretError) {
            new = try policies.read()
        } catch {
            try await refuse(record, .reloadPolicy, error)
        }
        record.detail["new_sha256"] = new.sha256
        record.detail["rules"] = String(new.policy.ruleCount)
        record.phase = .attempt
        record.outcome = nil
        _ = try await append(record, .reloadPolicy)
        policies.install(new)
        record.phase = .outcome
        record.outcome = "ok"
        record.time = clock.now()
        _ = try await append(record, .reloadPolicy)
    }

    /// Records something that the gateway did by itself or at its operator's signal.
    /// - Parameters:
    ///   - operation: what it did.
    ///   - requestID: an id for the record.
    ///   - detail: what else there is to say; never secrets.
    public func recordSystem(
        _ operation: Operation, requestID: String, detail: [String: String] = [:]
    ) async throws(AuditedError) {
        var record = systemRecord(operation, requestID: requestID)
        record.detail = detail
        _ = try await append(record, operation)
    }

    /// Does something to the gateway itself, on record before it is done and again with its outcome.
    /// - Parameters:
    ///   - operation: what is done.
    ///   - requestID: an id for the records.
    ///   - act: does it, and says what else there is to say of it; never secrets.
    /// - Throws: what `act` throws; `audit_unavailable`, and then nothing is done.
    public func performSystem(
        _ operation: Operation, requestID: String, _ act: () async throws(SecretError) -> [String: String]
    ) async throws(AuditedError) {
        var record = systemRecord(operation, requestID: requestID)
        record.phase = .attempt
        record.outcome = nil
        _ = try await append(record, operation)
        record.phase = .outcome
        do throws(SecretError) {
            record.detail = try await act()
        } catch {
            record.time = clock.now()
            try await refuse(record, operation, error)
        }
        record.time = clock.now()
        record.outcome = "ok"
        _ = try await append(record, operation)
    }

    private func systemRecord(_ operation: Operation, requestID: String) -> AuditRecord {
        var record = AuditRecord(
            time: clock.now(), requestID: requestID,
            actor: AuditRecord.Actor(principal: "postern", authentication: "none"),
            action: operation.rawValue, decision: .allow, phase: .outcome)
        record.outcome = "ok"
        return record
    }

    /// Records that somebody failed to prove who it is.
    /// - Parameters:
    ///   - failure: why.
    ///   - caller: what is known of it.
    ///   - requestID: an id for the record.
    ///   - detail: what else there is to say; never what was presented.
    /// - Returns: the record's index.
    public func recordAuthenticationFailure(
        _ failure: SecretError, of caller: Caller, requestID: String, detail: [String: String] = [:]
    ) async throws(AuditedError) -> UInt64 {
        var record = AuditRecord(
            time: clock.now(), requestID: requestID, actor: caller.actor(as: nil),
            action: Operation.authenticate.rawValue, decision: .deny, phase: .outcome)
        record.outcome = failure.code.rawValue
        record.detail = detail
        return try await append(record, .authenticate)
    }
}
