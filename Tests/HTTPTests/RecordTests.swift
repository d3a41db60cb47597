import PosternCore
import PosternAudit
import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Answers and records` {
    @Test func `every answer points to the record that tells of it`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        let calls: [(HTTPRequest.Method, String, String?, String, String)] = [
            (.get, "/admin/api/secrets", nil, "secret.list", "ok"),
            (.get, "/admin/api/secrets/app/a", nil, "secret.describe", "ok"),
            (.get, "/admin/api/secrets/app/none", nil, "secret.describe", "not_found"),
            (.post, "/admin/api/secrets/app/a:reveal", #"{"reason":"r","ticket":"T-9"}"#, "secret.read", "ok"),
            (
                .post, "/admin/api/secrets", #"{"name":"app/a","value":"x","expected_version":9}"#, "secret.write",
                "conflict"
            ),
            (.delete, "/admin/api/secrets/app/a", nil, "secret.delete", "ok"),
            (.post, "/admin/api/secrets/app/a:undelete", #"{"versions":[1]}"#, "secret.undelete", "ok"),
            (.post, "/admin/api/secrets/app/a:destroy", #"{"versions":[1]}"#, "secret.destroy", "ok"),
            (.patch, "/admin/api/secrets/app/a:metadata", #"{"max_versions":2}"#, "secret.update_metadata", "ok"),
            (.post, "/admin/api/secrets/app/a:remove", nil, "secret.remove", "ok"),
            (.get, "/admin/api/audit/tail", nil, "audit.read", "ok"),
            (
                .post, "/admin/api/policy:explain", #"{"principal":"root","action":"read_audit"}"#, "policy.explain",
                "ok"
            ),
        ]
        for (method, uri, body, action, outcome) in calls {
            let answer = try await stack.send(method, uri, body)
            let record = try stack.record(of: answer)
            #expect(record["action"] as? String == action, "\(answer.text)")
            #expect(record["outcome"] as? String == outcome, "\(answer.text)")
            #expect(record["request_id"] as? String == answer.headers[.xRequestID])
            #expect((record["actor"] as? [String: Any])?["principal"] as? String == "root")
        }
        let outcomes = try stack.records().filter { $0["phase"] as? String == "outcome" }
        #expect(outcomes.count == calls.count + 1, "one for each answer, and the first write's")
    }

    @Test func `a refusal is recorded and names its record`() async throws {
        let stack = try Stack()
        for key in [Stack.readerKey, Stack.strangerKey] {
            let denied = try await stack.send(.post, "/admin/api/secrets", #"{"name":"x","value":"v"}"#, key: key)
            #expect(denied.status == 403)
            let record = try stack.record(of: denied)
            #expect(record["decision"] as? String == "deny")
            #expect(record["outcome"] as? String == "permission_denied")
        }
    }

    @Test func `reason, ticket and trace id reach the record`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        let trace = "0af7651916cd43dd8448eb211c80319c"
        let answer = try await stack.send(
            .post, "/admin/api/secrets/app/a:reveal", #"{"reason":"from the body"}"#,
            headers: [
                .posternReason: "from a header", .posternTicket: "T-1", .traceparent: "00-\(trace)-b7ad6b7169203331-01",
            ])
        let record = try stack.record(of: answer)
        #expect(record["reason"] as? String == "from the body")
        #expect(record["ticket"] as? String == "T-1")
        #expect(record["trace_id"] as? String == trace)
    }

    @Test(arguments: [
        "", "00-short-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
    ])
    func `a trace header that is not valid counts as absent`(header: String) {
        #expect(TraceParent.traceID(header) == nil)
    }

    @Test func `nothing secret is logged, and the access log names routes, not paths`() async throws {
        let stack = try Stack()
        try await stack.put("app/hidden-name", "canary-value")
        _ = try await stack.send(.post, "/admin/api/secrets/app/hidden-name:reveal", #"{"reason":"canary-reason"}"#)
        _ = try await stack.send(.get, "/admin/api/secrets?prefix=app/hidden-name")
        _ = try await stack.send(.get, "/admin/api/secrets", key: "canary-key-0123456789")
        let text = stack.logs.text
        #expect(!text.contains("canary"))
        #expect(!text.contains(Stack.adminKey))
        #expect(!text.contains("hidden-name"))
        #expect(text.contains("route=/admin/api/secrets/{name}:reveal"))
        #expect(text.contains("principal=admin_key:admin"))
        #expect(text.contains("status=401"))
    }

    @Test func `without an audit log there is no answer`() async throws {
        let stack = try Stack()
        try await stack.put("app/a", "canary-value")
        stack.audit.close()
        let answer = try await stack.send(.post, "/admin/api/secrets/app/a:reveal", #"{"reason":"r"}"#)
        #expect(answer.status == 503)
        #expect(answer.string("code") == "audit_unavailable")
        #expect(!answer.text.contains("canary"))
        #expect(try await stack.send(.get, "/admin/api/secrets", key: nil).status == 503)
    }
}
