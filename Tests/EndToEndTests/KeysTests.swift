import Foundation
import TestPrograms
import Testing

/// Managing keys with the real binary: `postern keys` against a gateway that serves.
@Suite struct KeysTests {
    @Test func `rotate, reencrypt, rewrap, verify and list through the command line, all on record`() async throws {
        try await withGateway(GatewaySettings(policy: GatewaySettings.keyPolicy)) { gateway in
            for index in 0..<5 { try await gateway.put("llm/s\(index)", "v\(index)") }
            #expect(try await gateway.keys(["rotate", "llm", "--dry-run"]).code == 0)
            #expect(try await gateway.keysJSON(["rotate", "llm"])["current"]?.number == 2)
            let moved = try await gateway.keysJSON(["reencrypt", "llm", "--rate", "0"])
            #expect(moved["state"]?.text == "done")
            #expect(moved["changed"]?.number == 5)
            #expect(try await gateway.keysJSON(["rewrap"])["changed"]?.number == 1)
            let verified = try await gateway.keys(["verify"])
            #expect(verified.code == 0)
            #expect(verified.text.contains("opened 2, failed 0"))
            let listed = try await gateway.keys(["list"])
            #expect(listed.text.contains("superseded"))
            #expect(try await gateway.reveal("llm/s3") == "v3")
            let actions = Set(try gateway.auditRecords().compactMap(\.action))
            #expect(actions.isSuperset(of: ["key.rotate", "key.reencrypt", "key.rewrap", "key.verify", "key.list"]))
            let metrics = try await gateway.admin("GET", "/metrics").text
            #expect(metrics.contains("postern_kek_ok{kek=\"file:"))
            #expect(metrics.contains("# TYPE postern_kek_operations_total counter"))
        }
    }

    @Test func `a key is retired only once nothing names it`() async throws {
        let settings = GatewaySettings(overrides: ["envelope.key_cache=0s"], policy: GatewaySettings.keyPolicy)
        try await withGateway(settings) { gateway in
            try await gateway.put("llm/x", "v")
            #expect(try await gateway.keys(["rotate", "llm"]).code == 0)
            #expect(try await gateway.keys(["retire", "llm", "1"]).code == 6)
            #expect(try await gateway.keys(["reencrypt", "--destroy-old", "--rate", "0"]).code == 0)
            let retired = try await gateway.keys(["retire", "llm", "1"])
            #expect(retired.code == 0, "\(retired.errors)")
            #expect(try await gateway.reveal("llm/x") == "v")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a job goes on where it was after the gateway is killed`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings(policy: GatewaySettings.keyPolicy))
        try await withGateway(started: gateway) { gateway in
            let count = 60
            for index in 0..<count { try await gateway.put("llm/s\(index)", "v\(index)") }
            #expect(try await gateway.keys(["rotate", "llm"]).code == 0)
            #expect(try await gateway.keys(["reencrypt", "llm", "--rate", "20", "--no-wait"]).code == 0)
            try await eventually("the job is under way") { try await gateway.newestJob()?["seen"]?.number ?? 0 >= 5 }
            _ = try await gateway.end(by: SIGKILL)
            try await gateway.start()
            try await eventually("the job ends", within: .seconds(300)) {
                try await gateway.newestJob()?["state"]?.text != "running"
            }
            let job = try await gateway.newestJob()
            #expect(job?["state"]?.text == "done")
            #expect(job?["seen"]?.number == count)
            for index in stride(from: 0, to: count, by: 7) {
                #expect(try await gateway.reveal("llm/s\(index)") == "v\(index)")
            }
            let again = try await gateway.keysJSON(["reencrypt", "llm", "--rate", "0"])
            #expect(again["up_to_date"]?.number == count)
        }
    }

    @Test func `destroying a key takes two principals, and nothing under it is ever read again`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings(policy: GatewaySettings.keyPolicy))
        try await gateway.addSecondKey()
        try await withGateway(started: gateway) { gateway in
            try await gateway.put("llm/x", "v")
            #expect(try await gateway.reveal("llm/x") == "v")
            #expect(try await gateway.keys(["destroy", "llm", "--confirm", "other"]).code == 2)
            #expect(try await gateway.keys(["destroy", "llm", "--confirm", "llm"]).code == 0)
            #expect(try await gateway.keys(["approve", "llm"]).code == 4)
            let approved = try await gateway.keys(["approve", "llm"], key: secondKey)
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
        let gateway = try GatewayUnderTest(GatewaySettings(policy: GatewaySettings.keyPolicy))
        let initialise = ["init", "--config", gateway.file("postern.yaml")]
        let first = try await gateway.keys(initialise)
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.text.contains("made file:"))
        #expect(try await gateway.keys(initialise).text.contains("there: file:"))
        try await withGateway(started: gateway) { gateway in
            try await gateway.put("llm/x", "v")
            try FileManager.default.removeItem(atPath: gateway.file("kek"))
            let refused = try await gateway.keys(initialise)
            #expect(refused.code == 7)
            #expect(refused.errors.contains("put that back"))
        }
    }
}
