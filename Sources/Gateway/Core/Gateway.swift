// The one choke point: identify → authorise → act → audit → answer. Both front ends call it and nothing
// else reaches a backend. Storage below it knows nothing of callers; front ends above it nothing of storage.

public import PosternAudit
import PosternPolicy
public import PosternProtocol

/// The request pipeline.
///
/// No answer leaves and no change is acknowledged before its audit record is durable. A read has one
/// record; a change has one before it is attempted and one with its outcome. Denials are recorded too, and
/// happen before any backend is asked, so that they tell nothing about what exists. Where the store's own rules are to
/// decide too, they come after policy and never instead of it.
public final class Gateway: Sendable {
    let backend: any SecretBackend
    let policies: PolicyStore
    let audit: AuditLog
    let clock: any WallClock
    let keys: (any KeyManagement)?
    /// Forgets what is remembered of a domain whose key was destroyed.
    let forgetDomain: @Sendable (String) -> Void
    /// Counts of what the gateway has done.
    public let metrics: GatewayMetrics
    let storeCredentials: StoreCredentials
    private let unauthenticated = RecordLimiter()

    /// Makes a gateway.
    /// - Parameters:
    ///   - backend: the store, with all its decorators.
    ///   - policies: the policy in force.
    ///   - audit: the audit log.
    ///   - clock: tells the time of records and of time conditions.
    ///   - metrics: where to count.
    ///   - keys: manages the keys in front of the store; nil where there are none.
    ///   - forgetDomain: called with the domain whose key was destroyed; what is remembered of it must go.
    ///   - storeCredentials: whether callers' own credentials for the store are passed through to it.
    public init(
        backend: any SecretBackend, policies: PolicyStore, audit: AuditLog, clock: any WallClock,
        metrics: GatewayMetrics, keys: (any KeyManagement)? = nil,
        forgetDomain: @escaping @Sendable (String) -> Void = { _ in }, storeCredentials: StoreCredentials = .refused
    ) {
        self.keys = keys
        self.forgetDomain = forgetDomain
        self.backend = backend
        self.policies = policies
        self.audit = audit
        self.clock = clock
        self.metrics = metrics
        self.storeCredentials = storeCredentials
    }

    /// One request on its way through the pipeline: who wants what, and whether it may.
    struct Request: Sendable {
        var record: AuditRecord
        let principal: PrincipalID?
        /// Why the request is refused, or nil if it is allowed.
        var refusal: SecretError?
    }

    /// Identifies: the start of every request, and of its record. It is refused until policy allows it.
    func identify(
        _ path: String?, of kind: Operation, by caller: Caller, _ context: RequestContext, _ policy: Policy
    ) -> Request {
        let principal = caller.credential.flatMap(policy.principal(for:))
        var record = AuditRecord(
            time: clock.now(), requestID: context.requestID, traceID: context.traceID,
            actor: caller.actor(as: principal), action: kind.rawValue, path: path, decision: .deny, phase: .outcome)
        record.reason = context.reason
        record.ticket = context.ticket
        return Request(
            record: record, principal: principal,
            refusal: caller.failure ?? (principal == nil ? caller.whenUnknown : nil))
    }

    /// Authorises a request for an action on a path, or on the gateway as a whole.
    func authorise(
        _ action: Action, _ path: SecretPath?, of kind: Operation, by caller: Caller, _ context: RequestContext
    ) -> Request {
        let policy = policies.current
        var request = identify(path?.text, of: kind, by: caller, context, policy)
        guard request.refusal == nil else { return request }
        guard let principal = request.principal else {
            request.refusal = Self.refusal(to: Self.text(action, path))
            return request
        }
        let access = accessContext(&request, by: caller, context, policy)
        let decision = policy.decide(
            AccessRequest(principal: principal, action: action, path: path, context: access))
        request.record.rule = decision.ruleID
        if decision.isAllowed {
            request.record.decision = .allow
        } else {
            request.refusal = Self.refusal(to: Self.text(action, path), unmet: decision.unmet)
        }
        return request
    }

    /// The circumstances that policy judges by. Names the approver in the record.
    func accessContext(
        _ request: inout Request, by caller: Caller, _ context: RequestContext, _ policy: Policy
    ) -> AccessContext {
        let approver = context.approver.flatMap(policy.principal(for:))
        request.record.approver = approver?.name
        return AccessContext(
            time: request.record.time, address: caller.address, reason: context.reason, approver: approver)
    }

    private static func text(_ action: Action, _ path: SecretPath?) -> String {
        path.map { "\(action.rawValue) \($0)" } ?? action.rawValue
    }

    static func refusal(to what: String, unmet: [String] = []) -> SecretError {
        guard !unmet.isEmpty else {
            return SecretError(.permissionDenied, "You may not \(what); ask for a policy rule that allows it.")
        }
        let conditions = unmet.joined(separator: "; ")
        return SecretError(
            .permissionDenied, "You may \(what) only under conditions that are not met: \(conditions).")
    }

    /// Names as a record holds them: all, or as many as keep it small. What a caller sends must not make its own
    /// record too large to be written.
    static func bounded(_ names: [String]) -> [String] {
        var left = 8_192
        return Array(
            names.prefix { name in
                left -= name.utf8.count
                return left >= 0
            })
    }

    /// Makes a record durable and counts it.
    /// - Returns: its index.
    func append(_ record: AuditRecord, _ kind: Operation) async throws(AuditedError) -> UInt64 {
        do throws(SecretError) {
            let index = try await audit.append(record)
            metrics.count(kind, outcome: record)
            return index
        } catch {
            metrics.countAuditFailure()
            throw AuditedError(error, at: nil)
        }
    }

    /// Records a refusal or failure, and throws it. If it cannot be recorded, that is what is thrown. Refusals of those
    /// who could not prove who they are, are counted rather than recorded once there are too many.
    func refuse(
        _ record: AuditRecord, _ kind: Operation, _ error: SecretError
    ) async throws(AuditedError) -> Never {
        var record = record
        if error.code == .unauthenticated, record.actor.principal == nil {
            guard let suppressed = unauthenticated.admit() else { throw AuditedError(error, at: nil) }
            if suppressed > 0 { record.detail["unrecorded_before"] = String(suppressed) }
        }
        record.outcome = error.code.rawValue
        let index = try await append(record, kind)
        throw AuditedError(error, at: index)
    }

    /// Runs something that reads: authorise, act, record the outcome, answer.
    /// - Parameters:
    ///   - describe: completes the record with what was read.
    ///   - act: reads. Completes the record with what is to be known of it even if that fails.
    func performRead<Value: Sendable>(
        _ action: Action, _ path: SecretPath?, of kind: Operation, by caller: Caller, _ context: RequestContext,
        describe: (Value, inout AuditRecord) -> Void = { _, _ in },
        act: (inout AuditRecord) async throws(SecretError) -> Value
    ) async throws(AuditedError) -> Audited<Value> {
        var request = authorise(action, path, of: kind, by: caller, context)
        if let refusal = request.refusal { try await refuse(request.record, kind, refusal) }
        let value: Value
        do throws(SecretError) {
            value = try await act(&request.record)
        } catch {
            try await refuse(request.record, kind, error)
        }
        request.record.outcome = "ok"
        describe(value, &request.record)
        return Audited(value, at: try await append(request.record, kind))
    }

    /// Runs something that changes: authorise, record the attempt, act, record the outcome, answer.
    /// - Parameters:
    ///   - prepare: completes the record with what is to be changed.
    ///   - describe: completes the outcome's record with what was changed.
    ///   - act: changes the store, which it is given as the caller may use it.
    func performChange<Value: Sendable>(
        _ action: Action, _ path: SecretPath?, of kind: Operation, by caller: Caller, _ context: RequestContext,
        prepare: (inout AuditRecord) -> Void = { _ in },
        describe: (Value, inout AuditRecord) -> Void = { _, _ in },
        act: (any SecretBackend) async throws(SecretError) -> Value
    ) async throws(AuditedError) -> Audited<Value> {
        var request = authorise(action, path, of: kind, by: caller, context)
        prepare(&request.record)
        if let refusal = request.refusal { try await refuse(request.record, kind, refusal) }
        let store: any SecretBackend
        do throws(SecretError) {
            store = try await self.store(for: caller, context, &request.record)
        } catch {
            try await refuse(request.record, kind, error)
        }
        request.record.phase = .attempt
        _ = try await append(request.record, kind)
        request.record.phase = .outcome

        let value: Value
        do throws(SecretError) {
            try context.deadline.check("\(kind.rawValue) \(path?.text ?? "") began")
            value = try await act(store)
        } catch {
            request.record.time = clock.now()
            try await refuse(request.record, kind, error)
        }
        request.record.time = clock.now()
        request.record.outcome = "ok"
        describe(value, &request.record)
        do throws(AuditedError) {
            return Audited(value, at: try await append(request.record, kind))
        } catch {
            let message =
                "\(path?.text ?? kind.rawValue) was done, but the outcome could not be recorded: \(error.error.message)"
            throw AuditedError(SecretError(.auditUnavailable, message), at: nil)
        }
    }
}
