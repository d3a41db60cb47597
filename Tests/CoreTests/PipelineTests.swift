import PosternAudit
import PosternCore
import PosternPolicy
import PosternProtocol
import Synchronization
import Testing

@Suite struct PipelineTests {
    private let value = SecretBytes("canary-5e1d")

    private func path(_ text: String) throws -> SecretPath { try SecretPath(text) }

    @Test func `a read is answered with the index of the one record that tells of it`() async throws {
        let fixture = try GatewayFixture()
        _ = try await fixture.store.inner.write(
            path("a/x"), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        let answer = try await fixture.gateway.read(
            path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context(reason: "because"))
        #expect(answer.value.payload["value"] == value)

        let records = try fixture.records()
        #expect(records.count == 1)
        let record = records[Int(answer.auditIndex)]
        let actor = record["actor"] as? [String: Any]
        #expect(actor?["principal"] as? String == "reader")
        #expect(actor?["authentication"] as? String == "mtls")
        #expect(record["action"] as? String == "secret.read")
        #expect(record["path"] as? String == "a/x")
        #expect(record["version"] as? Int == 1)
        #expect(record["decision"] as? String == "allow")
        #expect(record["rule"] as? String == "reader-reads-a")
        #expect(record["outcome"] as? String == "ok")
        #expect(record["reason"] as? String == "because")
        #expect(record["fields"] as? [String] == ["value"])
        #expect(record["served_from"] as? String == "backend")
        #expect(!"\(records)".contains("canary"))
    }

    @Test func `nothing is answered when its record cannot be made durable`() async throws {
        let faults = AuditFaults()
        let fixture = try GatewayFixture(faults: faults)
        _ = try await fixture.store.inner.write(
            path("a/x"), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        faults.breakWrites(true)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.read(
                path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context())
        }
        #expect(error?.error.code == .auditUnavailable)
        #expect(!fixture.audit.health.isReady)

        faults.breakWrites(false)
        var answered = false
        for _ in 0..<200 where !answered {
            answered =
                (try? await fixture.gateway.read(
                    path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context())) != nil
            if !answered { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(answered, "service resumes by itself")
    }

    @Test func `no change is attempted when its attempt cannot be recorded`() async throws {
        let faults = AuditFaults()
        let fixture = try GatewayFixture(faults: faults)
        faults.breakWrites(true)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.write(
                path("a/x"), try Payload(value: value), expecting: nil, by: fixture.caller("writer"), fixture.context())
        }
        #expect(error?.error.code == .auditUnavailable)
        #expect(fixture.store.asked.isEmpty)
    }

    @Test func `a change is recorded before it is attempted and again with its outcome`() async throws {
        let fixture = try GatewayFixture()
        let directory = fixture.directory
        let before = Mutex(-1)
        fixture.store.onCall { () throws(SecretError) in
            let count = (try? AuditLogReader(directory: directory + "/audit").last(10).count) ?? -1
            before.withLock { $0 = count }
        }
        let written = try await fixture.gateway.write(
            path("a/x"), try Payload(value: value), expecting: 0, by: fixture.caller("writer"), fixture.context())
        #expect(written.value.number == 1)
        #expect(before.withLock { $0 } == 1, "the attempt is durable when the store is asked")
        let records = try fixture.records()
        #expect(records.map { $0["phase"] as? String } == ["attempt", "outcome"])
        #expect(records.map { $0["request_id"] as? String }.allSatisfy { $0 == records[0]["request_id"] as? String })
        #expect(records[1]["version"] as? Int == 1)
        #expect(written.auditIndex == 1)
    }

    @Test func `a failed change is recorded with its code`() async throws {
        let fixture = try GatewayFixture()
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.write(
                path("a/x"), try Payload(value: value), expecting: 7, by: fixture.caller("writer"), fixture.context())
        }
        #expect(error?.error.code == .conflict)
        #expect(error?.error.currentVersion == 0)
        #expect(error?.auditIndex == 1)
        #expect(try fixture.records().last?["outcome"] as? String == "conflict")
    }

    @Test(arguments: ["a/hidden", "b/x", "b/absent"])
    func `a refusal happens before any backend is asked, and absent looks like forbidden`(text: String) async throws {
        let fixture = try GatewayFixture()
        for existing in ["a/hidden", "b/x"] {
            _ = try await fixture.store.inner.write(
                path(existing), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        }
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.read(path(text), version: nil, by: fixture.caller("reader"), fixture.context())
        }
        #expect(error?.error.code == .permissionDenied)
        #expect(error?.error.message == "You may not read \(text); ask for a policy rule that allows it.")
        #expect(error?.auditIndex == 0)
        #expect(fixture.store.asked.isEmpty)
        #expect(try fixture.records().first?["decision"] as? String == "deny")
    }

    @Test func `a principal unknown to policy, and a failed authentication, get nothing but a record`() async throws {
        let fixture = try GatewayFixture()
        let stranger = fixture.caller("stranger")
        let failed = Caller(unauthenticated: SecretError(.unauthenticated, "no certificate"), address: "10.0.0.9")
        for (caller, code) in [(stranger, SecretError.Code.permissionDenied), (failed, .unauthenticated)] {
            let error = await #expect(throws: AuditedError.self) {
                try await fixture.gateway.read(path("a/x"), version: nil, by: caller, fixture.context())
            }
            #expect(error?.error.code == code)
        }
        #expect(fixture.store.asked.isEmpty)
        #expect(
            try fixture.records().compactMap { $0["outcome"] as? String } == ["permission_denied", "unauthenticated"])
    }

    @Test func `a condition that is not met is named, and met it opens`() async throws {
        let fixture = try GatewayFixture()
        _ = try await fixture.store.inner.write(
            path("a/x"), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        let person = Caller(credential: .adminKey(name: "operator"), address: nil)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.read(path("a/x"), version: nil, by: person, fixture.context())
        }
        #expect(error?.error.message.contains("reason") == true)
        let answer = try await fixture.gateway.read(
            path("a/x"), version: nil, by: person, fixture.context(reason: "incident 12"))
        #expect(answer.value.info.number == 1)
    }

    @Test func `a batch answers each path by itself, in order, with dense records`() async throws {
        let fixture = try GatewayFixture()
        _ = try await fixture.store.inner.write(
            path("a/x"), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        let results = try await fixture.gateway.batchRead(
            [path("a/x"), path("b/x"), path("a/absent")], by: fixture.caller("reader"), fixture.context())
        #expect(try results[0].get().auditIndex == 0)
        let codes = results.dropFirst().map { result -> SecretError.Code? in
            if case .failure(let failure) = result { failure.error.code } else { nil }
        }
        #expect(codes == [.permissionDenied, .notFound])
        #expect(try fixture.records().map { $0["outcome"] as? String } == ["ok", "permission_denied", "not_found"])
    }

    @Test func `a list shows only what the caller may list, and fills pages from what it may not`() async throws {
        let fixture = try GatewayFixture()
        for text in ["a/deep/1", "a/deep/2", "a/u1", "a/u2", "a/u3", "a/x", "z/y"] {
            _ = try await fixture.store.inner.write(
                path(text), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        }
        var seen: [String] = []
        var after: String?
        repeat {
            let page = try await fixture.gateway.list(
                ListQuery(recursive: true, after: after, limit: 1), by: fixture.caller("lister"), fixture.context())
            seen += page.value.entries.map(\.key)
            after = page.value.next
        } while after != nil
        #expect(seen == ["a/deep/1", "a/deep/2", "a/x"])

        let folders = try await fixture.gateway.list(
            ListQuery(), by: fixture.caller("lister"), fixture.context())
        #expect(folders.value.entries.map(\.key) == ["a/"])
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.list(ListQuery(), by: fixture.caller("reader"), fixture.context())
        }
        #expect(error?.error.code == .permissionDenied)
    }

    @Test func `every change reaches the store through the pipeline and is recorded twice`() async throws {
        let fixture = try GatewayFixture()
        let writer = fixture.caller("writer")
        let secret = try path("a/x")
        _ = try await fixture.gateway.write(
            secret, Payload(value: value), expecting: nil, by: writer, fixture.context())
        _ = try await fixture.gateway.updateMetadata(
            secret, MetadataChange(labels: ["team": "a"]), by: writer, fixture.context())
        _ = try await fixture.gateway.delete(secret, versions: [], by: writer, fixture.context())
        _ = try await fixture.gateway.undelete(secret, versions: [1], by: writer, fixture.context())
        _ = try await fixture.gateway.destroy(secret, versions: [1], by: writer, fixture.context())
        _ = try await fixture.gateway.remove(secret, by: writer, fixture.context())
        let actions = try fixture.records().map { "\($0["action"] ?? "")" }
        #expect(
            actions
                == ["write", "update_metadata", "delete", "undelete", "destroy", "remove"].flatMap {
                    ["secret.\($0)", "secret.\($0)"]
                })
        await #expect(throws: AuditedError.self) {
            try await fixture.gateway.remove(secret, by: fixture.caller("reader"), fixture.context())
        }
    }

    @Test func `a change whose deadline has passed is not attempted`() async throws {
        let fixture = try GatewayFixture()
        let late = try RequestContext(requestID: "r", deadline: .after(.seconds(-1)))
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.write(
                path("a/x"), try Payload(value: value), expecting: nil, by: fixture.caller("writer"), late)
        }
        #expect(error?.error.code == .deadlineExceeded)
        #expect(fixture.store.asked.isEmpty)
    }

    @Test func `explaining policy and reading the log are rights of their own, and on record`() async throws {
        let fixture = try GatewayFixture()
        let person = Caller(credential: .adminKey(name: "operator"), address: nil)
        let explanation = try await fixture.gateway.explainPolicy(
            PrincipalID("reader"), .read, path("a/hidden"), by: person, fixture.context())
        #expect(!explanation.value.allowed)
        #expect(explanation.value.rule == "reader-never-a-hidden")
        _ = try await fixture.gateway.readAudit(by: person, fixture.context()) { () throws(SecretError) in 1 }
        await #expect(throws: AuditedError.self) {
            try await fixture.gateway.readAudit(by: fixture.caller("writer"), fixture.context()) {
                () throws(SecretError) in 1
            }
        }
        #expect(
            try fixture.records().map { $0["action"] as? String } == ["policy.explain", "audit.read", "audit.read"])
    }

    @Test func `metrics count what was answered and never name a secret`() async throws {
        let fixture = try GatewayFixture()
        for _ in 0..<3 {
            _ = try? await fixture.gateway.read(
                path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context())
        }
        let text = fixture.gateway.metrics.exposition()
        #expect(text.contains(#"postern_requests_total{operation="secret.read",outcome="not_found"} 3"#))
        #expect(text.contains("postern_audit_records_total 3"))
        #expect(!text.contains("a/x"))
    }

    @Test(arguments: 1...4)
    func `where a page goes on is never said by a name that the caller may not see`(limit: Int) async throws {
        let fixture = try GatewayFixture()
        for text in ["a/deep/1", "a/u1", "a/x", "b/payroll", "c/payroll", "z/y"] {
            _ = try await fixture.store.inner.write(
                path(text), try Payload(value: value), expecting: nil, deadline: .after(.seconds(300)))
        }
        let visible: Set = ["a/deep/1", "a/x"]
        var after: String?
        var seen: [String] = []
        repeat {
            let page = try await fixture.gateway.list(
                ListQuery(recursive: true, after: after, limit: limit), by: fixture.caller("lister"), fixture.context())
            seen += page.value.entries.map(\.key)
            after = page.value.next
            if let after { #expect(visible.contains(after)) }
        } while after != nil
        #expect(seen == ["a/deep/1", "a/x"])
        #expect(try fixture.records().allSatisfy { $0["rule"] as? String == "lister-lists-some" })
    }

    @Test func `a refused change is on record whatever it was to change`() async throws {
        let fixture = try GatewayFixture()
        let labels = Dictionary(
            uniqueKeysWithValues: (0..<2_000).map { ("\($0)-" + String(repeating: "n", count: 60), Optional("v")) })
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.updateMetadata(
                path("a/x"), MetadataChange(labels: labels), by: fixture.caller("reader"), fixture.context())
        }
        #expect(error?.error.code == .permissionDenied)
        #expect(error?.auditIndex == 0)
    }

    @Test func `a batch past what a client takes as one message is refused from there on`() async throws {
        let fixture = try GatewayFixture()
        let large = try Payload(value: SecretBytes(copying: [UInt8](repeating: 7, count: 1_000_000)))
        _ = try await fixture.store.inner.write(
            path("a/x"), large, expecting: nil, deadline: .after(.seconds(300)))
        let results = try await fixture.gateway.batchRead(
            Array(repeating: path("a/x"), count: 6), by: fixture.caller("reader"), fixture.context())
        let codes = results.map { result -> SecretError.Code? in
            if case .failure(let failure) = result { failure.error.code } else { nil }
        }
        #expect(codes == [nil, nil, nil, nil, .tooLarge, .tooLarge])
    }

    @Test func `a flood of the unauthenticated is counted, not recorded one by one`() async throws {
        let fixture = try GatewayFixture()
        let failed = Caller(
            unauthenticated: SecretError(.unauthenticated, "revoked"), presented: "f1", address: "10.0.0.9")
        for _ in 0..<500 {
            let error = await #expect(throws: AuditedError.self) {
                try await fixture.gateway.read(path("a/x"), version: nil, by: failed, fixture.context())
            }
            #expect(error?.error.code == .unauthenticated)
        }
        let records = try fixture.records()
        #expect(records.count < 500)
        #expect((records.first?["actor"] as? [String: Any])?["credential"] as? String == "f1")
        #expect(fixture.store.asked.isEmpty)
    }

    @Test func `a batch of somebody unknown is refused as one`() async throws {
        let fixture = try GatewayFixture()
        let failed = Caller(unauthenticated: SecretError(.unauthenticated, "revoked"), address: nil)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.batchRead([path("a/x"), path("a/y")], by: failed, fixture.context())
        }
        #expect(error?.error.code == .unauthenticated)
        #expect(try fixture.records().count == 1)
    }
}

@Suite struct MetricsTests {
    @Test func `gauges that differ in their labels stand under one heading`() {
        let text = GatewayMetrics().exposition(gauges: [
            Gauge("postern_kek_ok", "Whether it opens.", 1, labels: ["kek": "a"]),
            Gauge("postern_kek_ok", "Whether it opens.", 0, labels: ["kek": "b"]),
            Gauge("postern_other", "Another.", 2),
        ])
        #expect(
            text.contains(
                """
                # HELP postern_kek_ok Whether it opens.
                # TYPE postern_kek_ok gauge
                postern_kek_ok{kek="a"} 1
                postern_kek_ok{kek="b"} 0
                # HELP postern_other Another.
                # TYPE postern_other gauge
                postern_other 2

                """))
    }
}
