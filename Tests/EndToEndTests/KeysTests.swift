import Foundation
import TestPrograms
import Testing

/// Managing keys with the real binary: `postern keys` against a gateway that serves.
@Suite struct KeysTests {
    private static let auditor = "auditor-key-0123456789abcdef"
    private static let policy =
        GatewaySettings.standardPolicy.replacing(
            "  admin: { admin_key: admin }", with: "  admin: { admin_key: admin }\n  second: { admin_key: second }"
        ).replacing(
            "manage_keys]\n    to: [operator, admin]", with: "manage_keys]\n    to: [operator, admin, second]")

    private func keys(_ arguments: [String], _ gateway: GatewayUnderTest, key: String? = nil) async throws -> Finished {
        try await run(
            try Places.postern(), ["keys"] + arguments,
            environment: [
                "POSTERN_CLIENT_ADMIN_ADDRESS": gateway.adminAddress, "POSTERN_CLIENT_CA": gateway.pki.file("ca.pem"),
                "ADMIN_KEY": key ?? gateway.adminKey,
            ], in: gateway.directory)
    }

    private func json(_ arguments: [String], _ gateway: GatewayUnderTest) async throws -> JSON {
        let done = try await keys(arguments + ["--output", "json"], gateway)
        try #require(done.code == 0, "\(done.errors)")
        return try JSON(parsing: done.output)
    }

    private func put(_ path: String, _ value: String, _ gateway: GatewayUnderTest) async throws {
        let answer = try await gateway.admin(
            "POST", "/admin/api/secrets", json: #"{"name":"\#(path)","value":"\#(value)"}"#)
        try #require(answer.status == 201, "\(answer.text)")
    }

    private func reveal(_ path: String, _ gateway: GatewayUnderTest) async throws -> String? {
        let answer = try await gateway.admin("POST", "/admin/api/secrets/\(path):reveal", json: #"{"reason":"test"}"#)
        return try answer.json()["fields"]?["value"]?.text
    }

    @Test func `rotate, reencrypt, rewrap, verify and list through the command line, all on record`() async throws {
        try await withGateway(GatewaySettings(policy: Self.policy)) { gateway in
            for index in 0..<5 { try await put("llm/s\(index)", "v\(index)", gateway) }
            #expect(try await keys(["rotate", "llm", "--dry-run"], gateway).code == 0)
            #expect(try await json(["rotate", "llm"], gateway)["current"]?.number == 2)
            let moved = try await json(["reencrypt", "llm", "--rate", "0"], gateway)
            #expect(moved["state"]?.text == "done")
            #expect(moved["changed"]?.number == 5)
            #expect(try await json(["rewrap"], gateway)["changed"]?.number == 1)
            let verified = try await keys(["verify"], gateway)
            #expect(verified.code == 0)
            #expect(verified.text.contains("opened 2, failed 0"))
            let listed = try await keys(["list"], gateway)
            #expect(listed.text.contains("superseded"))
            #expect(try await reveal("llm/s3", gateway) == "v3")
            let actions = Set(try gateway.auditRecords().compactMap(\.action))
            #expect(actions.isSuperset(of: ["key.rotate", "key.reencrypt", "key.rewrap", "key.verify", "key.list"]))
            let metrics = try await gateway.admin("GET", "/metrics").text
            #expect(metrics.contains("postern_kek_ok{kek=\"file:"))
            #expect(metrics.contains("# TYPE postern_kek_operations_total counter"))
        }
    }

    @Test func `a key is retired only once nothing names it`() async throws {
        let settings = GatewaySettings(overrides: ["envelope.key_cache=0s"], policy: Self.policy)
        try await withGateway(settings) { gateway in
            try await put("llm/x", "v", gateway)
            #expect(try await keys(["rotate", "llm"], gateway).code == 0)
            #expect(try await keys(["retire", "llm", "1"], gateway).code == 6)
            #expect(try await keys(["reencrypt", "--destroy-old", "--rate", "0"], gateway).code == 0)
            let retired = try await keys(["retire", "llm", "1"], gateway)
            #expect(retired.code == 0, "\(retired.errors)")
            #expect(try await reveal("llm/x", gateway) == "v")
        }
    }

    /// The newest job.
    private func jobs(_ gateway: GatewayUnderTest) async throws -> JSON? {
        try await gateway.admin("GET", "/admin/api/keys/jobs").json()["jobs"]?.elements.first
    }

    /// Asks again until a condition holds, not as fast as processes can be started.
    private func eventually(_ condition: () async throws -> Bool) async throws {
        let end = ContinuousClock.now.advanced(by: .seconds(300))
        while try await !condition() {
            try #require(ContinuousClock.now < end)
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a job goes on where it was after the gateway is killed`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings(policy: Self.policy))
        try await withGateway(started: gateway) { gateway in
            let count = 60
            for index in 0..<count { try await put("llm/s\(index)", "v\(index)", gateway) }
            #expect(try await keys(["rotate", "llm"], gateway).code == 0)
            #expect(try await keys(["reencrypt", "llm", "--rate", "20", "--no-wait"], gateway).code == 0)
            try await eventually { try await jobs(gateway)?["seen"]?.number ?? 0 >= 5 }
            _ = try await gateway.end(by: SIGKILL)
            try await gateway.start()
            try await eventually { try await jobs(gateway)?["state"]?.text != "running" }
            let job = try await jobs(gateway)
            let state = job?["state"]?.text
            #expect(state == "done")
            #expect(job?["seen"]?.number == count)
            for index in stride(from: 0, to: count, by: 7) {
                #expect(try await reveal("llm/s\(index)", gateway) == "v\(index)")
            }
            let again = try await json(["reencrypt", "llm", "--rate", "0"], gateway)
            #expect(again["up_to_date"]?.number == count)
        }
    }

    @Test func `destroying a key takes two principals, and nothing under it is ever read again`() async throws {
        let hash = try await mustRun("sha256sum", [], input: Data(Self.auditor.utf8)).text.prefix(64)
        let gateway = try GatewayUnderTest(GatewaySettings(policy: Self.policy))
        let file = try String(contentsOfFile: gateway.file("postern.yaml"), encoding: .utf8)
        try gateway.write(
            file.replacing(
                "  key_file: pki/server.key\n",
                with: "  key_file: pki/server.key\n  keys:\n    - { name: second, sha256: \(hash) }\n"),
            to: "postern.yaml")
        try await withGateway(started: gateway) { gateway in
            try await put("llm/x", "v", gateway)
            #expect(try await reveal("llm/x", gateway) == "v")
            #expect(try await keys(["destroy", "llm", "--confirm", "other"], gateway).code == 2)
            #expect(try await keys(["destroy", "llm", "--confirm", "llm"], gateway).code == 0)
            #expect(try await keys(["approve", "llm"], gateway).code == 4)
            let approved = try await keys(["approve", "llm"], gateway, key: Self.auditor)
            #expect(approved.code == 0, "\(approved.errors)")
            let read = try await gateway.admin("POST", "/admin/api/secrets/llm/x:reveal", json: #"{"reason":"test"}"#)
            #expect(try read.code() == "integrity_failure")
            #expect(read.text.contains("destroyed"))
            let records = try gateway.auditRecords()
            let done = try #require(records.last { $0.action == "key.destroyed" && $0.outcome == "ok" })
            #expect(done.principal == "second")
            #expect(done.record["detail"]?["requested_by"]?.text == "admin")
        }
    }

    @Test func `init makes a missing key file once, and none beside a store that has secrets`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings(policy: Self.policy))
        let initialise = ["init", "--config", gateway.file("postern.yaml")]
        let first = try await keys(initialise, gateway)
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.text.contains("made file:"))
        #expect(try await keys(initialise, gateway).text.contains("there: file:"))
        try await withGateway(started: gateway) { gateway in
            try await put("llm/x", "v", gateway)
            try FileManager.default.removeItem(atPath: gateway.file("kek"))
            let refused = try await keys(initialise, gateway)
            #expect(refused.code == 7)
            #expect(refused.errors.contains("put that back"))
        }
    }
}
