import PosternCore
import Foundation
import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Routes of secrets` {
    @Test func `a secret lives its whole life through the API`() async throws {
        let stack = try Stack()
        let written = try await stack.send(
            .post, "/admin/api/secrets",
            #"{"name":"app/db/password","value":"one","expected_version":0,"reason":"first","ticket":"T-1"}"#)
        #expect(written.status == 201)
        #expect(written.string("name") == "app/db/password")
        #expect(written.int("version") == 1)
        #expect(written.headers[.location] == "/admin/api/secrets/app/db/password")
        try await stack.put("app/db/password", "two")

        let revealed = try await stack.send(.post, "/admin/api/secrets/app/db/password:reveal", #"{"reason":"test"}"#)
        #expect(revealed.status == 200)
        #expect(revealed.int("version") == 2)
        #expect(revealed.string("fields.value") == "two")
        #expect(revealed.string("served_from") == "backend")
        #expect(revealed.headers[.cacheControl] == "no-store")
        let first = try await stack.send(
            .post, "/admin/api/secrets/app/db/password:reveal", #"{"reason":"test","version":1}"#)
        #expect(first.string("fields.value") == "one")

        let deleted = try await stack.send(.delete, "/admin/api/secrets/app/db/password?versions=1,2")
        #expect(deleted.status == 200)
        let gone = try await stack.send(.post, "/admin/api/secrets/app/db/password:reveal", #"{"reason":"test"}"#)
        #expect(gone.status == 410)
        #expect(gone.string("code") == "version_deleted")

        let back = try await stack.send(
            .post, "/admin/api/secrets/app/db/password:undelete", #"{"versions":[1,2],"reason":"oops"}"#)
        #expect(back.status == 200)
        let destroyed = try await stack.send(
            .post, "/admin/api/secrets/app/db/password:destroy", #"{"versions":[1]}"#)
        #expect(destroyed.status == 200)

        let versions = try await stack.send(.get, "/admin/api/secrets/app/db/password:versions")
        #expect(versions.list("versions").map { $0["state"] as? String } == ["destroyed", "available"])
        #expect(versions.int("current_version") == 2)

        let removed = try await stack.send(.post, "/admin/api/secrets/app/db/password:remove")
        #expect(removed.status == 200)
        let absent = try await stack.send(.get, "/admin/api/secrets/app/db/password")
        #expect(absent.status == 404)
        #expect(absent.string("code") == "not_found")
    }

    @Test func `deleting without versions deletes the current one`() async throws {
        let stack = try Stack()
        try await stack.put("app/a", "one")
        try await stack.put("app/a", "two")
        _ = try await stack.send(.delete, "/admin/api/secrets/app/a", headers: [.posternReason: "old"])
        let versions = try await stack.send(.get, "/admin/api/secrets/app/a:versions")
        #expect(versions.list("versions").map { $0["state"] as? String } == ["available", "deleted"])
        #expect(try stack.records().last { $0["action"] as? String == "secret.delete" }?["reason"] as? String == "old")
    }

    @Test func `lists page by key and show folders`() async throws {
        let stack = try Stack()
        for name in ["app/a", "app/b/c", "app/d", "top"] { try await stack.put(name) }
        let first = try await stack.send(.get, "/admin/api/secrets?prefix=app&limit=2")
        #expect(first.list("entries").map { $0["key"] as? String } == ["app/a", "app/b/"])
        #expect(first.list("entries").map { $0["folder"] as? Bool } == [false, true])
        let next = try #require(first.string("next"))
        let second = try await stack.send(.get, "/admin/api/secrets?prefix=app%2F&limit=2&after=\(next)")
        #expect(second.list("entries").map { $0["key"] as? String } == ["app/d"])
        #expect(second["next"] == nil)
        let all = try await stack.send(.get, "/admin/api/secrets?recursive=true")
        #expect(all.list("entries").count == 4)
    }

    @Test func `a description shows settings, labels and versions but no value`() async throws {
        let stack = try Stack()
        try await stack.put("app/a", "canary-value")
        let changed = try await stack.send(
            .patch, "/admin/api/secrets/app/a:metadata",
            #"{"max_versions":3,"delete_version_after_seconds":60,"cas_required":true,"labels":{"b":"2","a":"1"}}"#)
        #expect(changed.status == 200)
        let again = try await stack.send(
            .patch, "/admin/api/secrets/app/a:metadata", #"{"labels":{"b":null}}"#)
        #expect(again.status == 200)
        let described = try await stack.send(.get, "/admin/api/secrets/app/a")
        #expect(described.int("max_versions") == 3)
        #expect(described.int("delete_version_after_seconds") == 60)
        #expect(described["cas_required"] as? Bool == true)
        #expect(described["labels"] as? [String: String] == ["a": "1"])
        #expect(described.string("created_at") == "2027-01-15T08:00:00.000000Z")
        #expect(!described.text.contains("canary"))
    }

    @Test func `members come in a stable order`() async throws {
        let stack = try Stack()
        let written = try await stack.put("app/a")
        let names = try ["name", "version", "etag", "created_at", "audit"].map { name in
            try #require(written.text.range(of: "\"\(name)\":")).lowerBound
        }
        #expect(names == names.sorted())
    }

    @Test func `fields of text and of bytes come back as they were`() async throws {
        let stack = try Stack()
        let body = #"{"name":"app/f","fields":{"z":"tab\t \"q\" é \ud83d\ude00","a":{"base64":"AP8="}}}"#
        #expect(try await stack.send(.post, "/admin/api/secrets", body).status == 201)
        let revealed = try await stack.send(.post, "/admin/api/secrets/app/f:reveal", #"{"reason":"r"}"#)
        #expect(revealed.string("fields.z") == "tab\t \"q\" é 😀")
        #expect(revealed.string("fields.a.base64") == "AP8=")
        #expect(revealed.text.contains(#""fields":{"z":"#), "in the order in which they were given")
    }

    @Test func `value_base64 stores bytes`() async throws {
        let stack = try Stack()
        let body = #"{"name":"app/b","value_base64":"aGVsbG8="}"#
        #expect(try await stack.send(.post, "/admin/api/secrets", body).status == 201)
        let revealed = try await stack.send(
            .post, "/admin/api/secrets/app%2Fb:reveal", headers: [.posternReason: "from a header"])
        #expect(revealed.string("fields.value") == "hello")
    }

    @Test func `a lost compare-and-set says which version is there`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        let lost = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"app/a","value":"x","expected_version":0}"#)
        #expect(lost.status == 409)
        #expect(lost.int("current_version") == 1)
        #expect(lost.string("type") == "urn:postern:error:conflict")
        let missing = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"app/none","value":"x","expected_version":4}"#)
        #expect(missing.status == 409)
        #expect(missing.int("current_version") == 0)
    }

    @Test(arguments: ["", "{}", #"{"reason":""}"#, #"{"reason":"  "}"#, #"{"version":1}"#])
    func `revealing needs a reason`(body: String) async throws {
        let stack = try Stack()
        try await stack.put("app/a", "canary-value")
        let answer = try await stack.send(
            .post, "/admin/api/secrets/app/a:reveal", body.isEmpty ? nil : body)
        #expect(answer.status == 400)
        #expect(answer.string("detail")?.contains("reason") == true)
        #expect(!answer.text.contains("canary"))
    }
}

@Suite struct `Routes of operators and machines` {
    @Test func `policy explains itself`() async throws {
        let stack = try Stack()
        let allowed = try await stack.send(
            .post, "/admin/api/policy:explain", #"{"principal":"reader","action":"read","path":"app/a"}"#)
        #expect(allowed.status == 200, "\(allowed.text)")
        #expect(allowed["allowed"] as? Bool == true)
        #expect(allowed.string("rule") == "reader-app")
        let denied = try await stack.send(
            .post, "/admin/api/policy:explain", #"{"principal":"reader","action":"write","path":"app/a"}"#)
        #expect(denied["allowed"] as? Bool == false)
        let unknown = try await stack.send(
            .post, "/admin/api/policy:explain", #"{"principal":"nobody","action":"read","path":"app/a"}"#)
        #expect(unknown.status == 404)
        let wrong = try await stack.send(
            .post, "/admin/api/policy:explain", #"{"principal":"reader","action":"fly"}"#)
        #expect(wrong.status == 400)
    }

    @Test func `the tail of the audit log has the last records, and needs the right to see them`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        let tail = try await stack.send(.get, "/admin/api/audit/tail?count=2")
        #expect(tail.status == 200)
        let records = tail.list("records")
        #expect(records.map { $0["index"] as? Int } == [0, 1])
        #expect((records.last?["record"] as? [String: Any])?["action"] as? String == "secret.write")
        let denied = try await stack.send(.get, "/admin/api/audit/tail", key: Stack.readerKey)
        #expect(denied.status == 403)
        #expect(try await stack.send(.get, "/admin/api/audit/tail?count=0").status == 400)
    }

    @Test func `health, readiness and metrics need no key`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        #expect(try await stack.send(.get, "/healthz", key: nil).status == 200)
        let ready = try await stack.send(.get, "/readyz", key: nil)
        #expect(ready.status == 200)
        #expect(ready.list("components").map { $0["name"] as? String } == ["audit", "backend", "gateway"])
        let metrics = try await stack.send(.get, "/metrics", key: nil)
        #expect(metrics.text.contains(#"postern_requests_total{operation="secret.write",outcome="ok"} 1"#))
        #expect(metrics.text.contains("postern_admin_attempts_refused 0"))
        #expect(!metrics.text.contains("app/a"))
    }

    @Test func `a draining gateway is alive but not ready, at once`() async throws {
        let stack = try Stack()
        #expect(try await stack.send(.get, "/readyz", key: nil).status == 200)
        stack.readiness.startDraining()
        #expect(try await stack.send(.get, "/readyz", key: nil).status == 503)
        #expect(try await stack.send(.get, "/healthz", key: nil).status == 200)
    }
}
