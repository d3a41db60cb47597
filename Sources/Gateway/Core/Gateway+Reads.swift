// Reading: one secret, several, a description, a list.

import PosternAudit
import PosternPolicy
public import PosternProtocol

extension Gateway {
    /// Reads a version of a secret.
    /// - Parameters:
    ///   - path: the secret.
    ///   - version: a version's number, or nil for the current one.
    ///   - caller: who asks.
    ///   - context: under what circumstances.
    /// - Throws: an error of the closed set with its place in the audit log.
    public func read(
        _ path: SecretPath, version: Int?, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<SecretVersion> {
        try await performRead(
            .read, path, of: .read, by: caller, context, describe: Self.describeRead
        ) { (record) async throws(SecretError) in
            try await store(for: caller, context, &record).read(path, version: version, deadline: context.deadline)
        }
    }

    private static func describeRead(_ secret: SecretVersion, _ record: inout AuditRecord) {
        record.version = secret.info.number
        record.fields = bounded(secret.payload.fields.map(\.name))
        record.servedFrom = secret.freshness.servedFrom
        if secret.freshness != .live {
            record.ageMilliseconds = Int(secret.freshness.age / .milliseconds(1))
        }
    }

    /// The most paths in one batch.
    public static let maximumBatch = 100
    /// The most payload bytes in one batch: what stock gRPC clients accept as a message, 4 MiB.
    public static let maximumBatchBytes = 4 << 20

    /// Reads the current versions of several secrets. Each is authorised, read and recorded by itself; the
    /// records become durable together.
    /// - Returns: for each path, in order, the secret or what went wrong.
    /// - Throws: `invalid_argument` past ``maximumBatch``; `audit_unavailable` if nothing could be recorded.
    public func batchRead(
        _ paths: [SecretPath], by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> [Result<Audited<SecretVersion>, AuditedError>] {
        guard (1...Self.maximumBatch).contains(paths.count) else {
            throw AuditedError(
                SecretError(.invalidArgument, "A batch has 1 to \(Self.maximumBatch) paths, not \(paths.count)."),
                at: nil)
        }
        if let failure = caller.failure {
            // One record says it all: the batch of somebody unknown is refused as one.
            try await refuse(identify(nil, of: .read, by: caller, context, policies.current).record, .read, failure)
        }
        var results: [Result<SecretVersion, SecretError>] = []
        var records: [AuditRecord] = []
        var bytes = 0
        var opened: Result<StoreView, SecretError>?
        for path in paths {
            var request = authorise(.read, path, of: .read, by: caller, context)
            do throws(SecretError) {
                if let refusal = request.refusal { throw refusal }
                // Opened for the first path that policy allows, and only once: a store that does not answer would
                // otherwise be waited for a hundred times.
                let result = if let opened { opened } else { await view(for: caller, context) }
                opened = result
                let view = try result.get()
                Self.note(view, in: &request.record)
                let secret = try await view.backend.read(path, version: nil, deadline: context.deadline)
                bytes += secret.payload.byteCount
                guard bytes <= Self.maximumBatchBytes else {
                    throw SecretError(.tooLarge, "The batch is larger than 4 MiB; read \(path) by itself.")
                }
                request.record.outcome = "ok"
                Self.describeRead(secret, &request.record)
                results.append(.success(secret))
            } catch {
                request.record.outcome = error.code.rawValue
                results.append(.failure(error))
            }
            records.append(request.record)
        }
        let first: UInt64
        do throws(SecretError) {
            first = try await audit.append(contentsOf: records)
        } catch {
            metrics.countAuditFailure()
            throw AuditedError(error, at: nil)
        }
        for record in records { metrics.count(.read, outcome: record) }
        return results.enumerated().map { offset, result in
            let index = first + UInt64(offset)
            return result.map { Audited($0, at: index) }.mapError { AuditedError($0, at: index) }
        }
    }

    /// Describes a secret and its versions, without values.
    public func describe(
        _ path: SecretPath, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<SecretDescription> {
        try await performRead(
            .describe, path, of: .describe, by: caller, context
        ) { (record) async throws(SecretError) in
            try await store(for: caller, context, &record).describe(path, deadline: context.deadline)
        }
    }

    /// Lists a page of the names that the caller may list. Names it may not list are left out, so a page may
    /// be shorter than asked for; it is empty only where there is nothing more to see.
    public func list(
        _ query: ListQuery, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<SecretList> {
        var (request, access) = authoriseList(query, by: caller, context)
        guard let principal = request.principal, request.refusal == nil else {
            let refusal = request.refusal ?? Self.refusal(to: "list here")
            try await refuse(request.record, .list, refusal)
        }
        let page: SecretList
        do throws(SecretError) {
            let store = try await store(for: caller, context, &request.record)
            page = try await visiblePage(query, of: store, to: principal, access, context)
        } catch {
            try await refuse(request.record, .list, error)
        }
        request.record.outcome = "ok"
        request.record.detail["entries"] = String(page.entries.count)
        return Audited(page, at: try await append(request.record, .list))
    }

    /// A list is allowed wherever some rule lets the caller list something below.
    private func authoriseList(
        _ query: ListQuery, by caller: Caller, _ context: RequestContext
    ) -> (request: Request, access: AccessContext) {
        let policy = policies.current
        var request = identify(query.prefix.text, of: .list, by: caller, context, policy)
        request.record.detail["recursive"] = query.recursive ? "true" : "false"
        let access = accessContext(&request, by: caller, context, policy)
        guard request.refusal == nil else { return (request, access) }
        let what = query.prefix.text.isEmpty ? "list here" : "list below \(query.prefix)"
        guard let principal = request.principal else {
            request.refusal = Self.refusal(to: what)
            return (request, access)
        }
        let decision = policy.mayList(below: query.prefix, by: principal, context: access)
        request.record.rule = decision.ruleID
        if decision.isAllowed {
            request.record.decision = .allow
        } else {
            request.refusal = Self.refusal(to: what, unmet: decision.unmet)
        }
        return (request, access)
    }

    private func visiblePage(
        _ query: ListQuery, of store: any SecretBackend, to principal: PrincipalID, _ access: AccessContext,
        _ context: RequestContext
    ) async throws(SecretError) -> SecretList {
        let policy = policies.current
        // One more than asked for is looked for, so that `next` is a key that the caller may see, never one it may not.
        var visible: [SecretList.Entry] = []
        var after = query.after
        while true {
            try context.deadline.check("the list below \(query.prefix) was read")
            let asked = try ListQuery(
                prefix: query.prefix, recursive: query.recursive, after: after, limit: query.limit)
            let page = try await store.list(asked, deadline: context.deadline)
            visible += page.entries.filter { entry in
                switch entry {
                case .secret(let path):
                    policy.decide(
                        AccessRequest(principal: principal, action: .list, path: path, context: access)
                    ).isAllowed
                case .folder(let prefix):
                    policy.mayList(below: prefix, by: principal, context: access).isAllowed
                }
            }
            if visible.count > query.limit {
                let shown = Array(visible.prefix(query.limit))
                return SecretList(entries: shown, next: shown.last?.key)
            }
            guard let next = page.next else { return SecretList(entries: visible, next: nil) }
            after = next
        }
    }
}
