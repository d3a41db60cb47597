import Foundation
import Testing

/// The admin API through curl.
@Suite(.timeLimit(.minutes(3))) struct AdminAPITests {
    private static let secrets = "/admin/api/secrets"

    @Test func `a secret goes through its whole life over HTTPS`() async throws {
        try await withGateway { gateway in
            let name = "llm/openai/api_key"
            let one = "\(Self.secrets)/\(name)"
            var answer = try await gateway.admin(
                "POST", Self.secrets, json: #"{"name":"\#(name)","value":"first","expected_version":0}"#)
            #expect(answer.status == 201, "\(answer.text)")
            #expect(answer.headers["location"] == one)
            #expect(try answer.json()["version"] == .number(1))
            answer = try await gateway.admin(
                "POST", Self.secrets,
                json: #"{"name":"\#(name)","fields":{"user":"u","blob":{"base64":"AAECgA=="}}}"#)
            #expect(try answer.json()["version"] == .number(2), "\(answer.text)")

            answer = try await gateway.admin("GET", "\(Self.secrets)?recursive=true")
            #expect(try answer.json()["entries"]?.elements.map { $0["key"]?.text } == [name])
            answer = try await gateway.admin("GET", Self.secrets)
            #expect(try answer.json()["entries"]?[0]?["key"]?.text == "llm/")
            answer = try await gateway.admin("GET", one)
            #expect(try answer.json()["current_version"] == .number(2))
            #expect(!answer.text.contains("AAECgA=="), "describing shows no value")
            answer = try await gateway.admin("GET", "\(one):versions")
            #expect(try answer.json()["versions"]?.elements.count == 2)

            answer = try await gateway.admin("POST", "\(one):reveal", json: #"{"reason":"a test"}"#)
            #expect(answer.status == 200)
            #expect(
                try answer.json()["fields"]
                    == .object(["user": .string("u"), "blob": .object(["base64": .string("AAECgA==")])]))
            answer = try await gateway.admin("POST", "\(one):reveal", json: #"{"reason":"a test","version":1}"#)
            #expect(try answer.json()["fields"]?["value"] == .string("first"))
            #expect(answer.headers["cache-control"] == "no-store")
            answer = try await gateway.admin("POST", "\(one):reveal", json: "{}")
            #expect(answer.status == 400, "no reason, no value: \(answer.text)")

            answer = try await gateway.admin(
                "PATCH", "\(one):metadata", json: #"{"labels":{"owner":"ml"},"max_versions":3}"#)
            #expect(try answer.json()["labels"] == .object(["owner": .string("ml")]), "\(answer.text)")
            try await Self.end(one, gateway)
        }
    }

    private static func end(_ one: String, _ gateway: GatewayUnderTest) async throws {
        func reveal() async throws -> AdminAnswer {
            try await gateway.admin("POST", "\(one):reveal", json: #"{"reason":"a test"}"#)
        }
        var answer = try await gateway.admin("DELETE", one)
        #expect(answer.status == 200, "\(answer.text)")
        answer = try await reveal()
        #expect(answer.status == 410)
        #expect(try answer.code() == "version_deleted")
        answer = try await gateway.admin("POST", "\(one):undelete", json: #"{"versions":[2]}"#)
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try await reveal().status == 200)
        answer = try await gateway.admin("POST", "\(one):destroy", json: #"{"versions":[2]}"#)
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try await reveal().code() == "version_destroyed")
        answer = try await gateway.admin("POST", "\(one):remove")
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try await reveal().status == 404)
        #expect(try await gateway.admin("GET", Self.secrets).json()["entries"] == .array([]))
    }

    @Test func `what one front end writes the other reads`() async throws {
        try await withGateway { gateway in
            _ = try await gateway.admin("POST", Self.secrets, json: #"{"name":"llm/a","value":"by HTTP"}"#)
            #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/a") } == "by HTTP")
            try await gateway.client { _ = try await $0.put("llm/a", "by gRPC") }
            let answer = try await gateway.admin("POST", "\(Self.secrets)/llm/a:reveal", json: #"{"reason":"t"}"#)
            #expect(try answer.json()["fields"]?["value"] == .string("by gRPC"))
        }
    }

    @Test func `policy, audit log, health, metrics and contract are there to look at`() async throws {
        try await withGateway { gateway in
            var answer = try await gateway.admin(
                "POST", "/admin/api/policy:explain",
                json: #"{"principal":"billing","action":"read","path":"llm/a"}"#)
            #expect(try answer.json()["allowed"] == .bool(false), "\(answer.text)")
            answer = try await gateway.admin(
                "POST", "/admin/api/policy:explain",
                json: #"{"principal":"gateway","action":"read","path":"llm/a"}"#)
            #expect(try answer.json()["rule"] == .string("gateway-reads-llm"))

            answer = try await gateway.admin("GET", "/admin/api/audit/tail?count=2")
            let actions = try answer.json()["records"]?.elements.map { $0["record"]?["action"]?.text }
            #expect(actions == ["policy.explain", "policy.explain"])

            answer = try await gateway.admin("GET", "/healthz", key: "")
            #expect(answer.status == 200)
            answer = try await gateway.admin("GET", "/readyz", key: "")
            #expect(answer.status == 200)
            #expect(try answer.json()["ready"] == .bool(true))
            answer = try await gateway.admin("GET", "/metrics", key: "")
            #expect(answer.status == 200)
            #expect(answer.text.contains("policy.explain"))
            answer = try await gateway.admin("GET", "/admin/api/openapi.json")
            #expect(try answer.json()["openapi"]?.text?.hasPrefix("3.1") == true)
        }
    }

    @Test func `no key and a wrong key get nothing, and guessing is slowed down and recorded`() async throws {
        try await withGateway(GatewaySettings(overrides: ["admin.max_failures_per_minute=3"])) { gateway in
            _ = try await gateway.admin("POST", Self.secrets, json: #"{"name":"a","value":"x"}"#)
            var answer = try await gateway.admin("GET", Self.secrets, key: "")
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"] != nil)
            #expect(answer.headers["content-type"] == "application/problem+json")
            let index = try #require(try answer.json()["audit_index"]?.number)
            let record = try #require(try gateway.auditRecords().first { $0.index == UInt64(index) })
            #expect(record.action == "authenticate")
            #expect(record.outcome == "unauthenticated")
            var statuses: [Int] = []
            for _ in 0..<4 {
                answer = try await gateway.admin("GET", Self.secrets, key: "guess")
                statuses.append(answer.status)
            }
            #expect(statuses.last == 429, "\(statuses)")
            #expect(answer.headers["retry-after"].flatMap { Int($0) } ?? 0 > 0)
            #expect(!gateway.log.contains("guess"))
        }
    }
}
