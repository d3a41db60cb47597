import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import Testing

/// Each gets the documented error, and the process goes on.
@Suite(.timeLimit(.minutes(3))) struct BadInputTests {
    @Test func `no malformed frame, header or message does more than end its own call or connection`() async throws {
        try await withGateway { gateway in
            let pid = gateway.pid
            for name in [
                "not_http2", "broken_frames", "continuation_flood", "oversized_header", "oversized_message",
                "malformed_message", "unknown_method", "wrong_content_type", "compressed", "deadline",
            ] {
                do {
                    _ = try await gateway.python("hostile.py", [name])
                } catch {
                    Issue.record("\(name): \(error)")
                }
            }
            #expect(gateway.isRunning && gateway.pid == pid)
        }
    }

    /// Names that try to be something else.
    static let names = [
        "../x", "a/../b", "a/..%2f..", "/etc/passwd", "a//b", "a/", "", ".", ".postern/keyring/llm", ".postern",
        "a\0b", "a\nb", "a b", "ä", "a%00", "a\\b", String(repeating: "a", count: 513),
        Array(repeating: "a", count: 17).joined(separator: "/"),
    ]

    @Test func `a name that is no path is refused by every method, and reaches nothing`() async throws {
        try await withGateway { gateway in
            try await gateway.client { client in
                try await client.put("llm/a", "x")
                for name in Self.names {
                    for refusal in await Self.refusals(client, name) {
                        #expect(refusal == .invalidArgument, "\(name)")
                    }
                }
                #expect(try await client.value("llm/a") == "x")
            }
            for name in Self.names {
                let body = try JSONEncoder().encode(["name": name, "value": "x"])
                let answer = try await gateway.admin("POST", "/admin/api/secrets", body: body)
                #expect(answer.status == 400, "\(name): \(answer.text)")
                #expect(try answer.code() == "invalid_argument")
            }
            // Nothing of it was done, so nothing but the one write is on record.
            #expect(try gateway.auditRecords().filter { $0.action == "secret.write" }.count == 2)
        }
    }

    private static func refusals(_ client: PosternClient, _ name: String) async -> [SecretError.Code?] {
        var codes: [SecretError.Code?] = []
        func attempt(_ body: () async throws(ClientError) -> Void) async {
            do {
                try await body()
                codes.append(nil)
            } catch {
                codes.append(error.error.code)
            }
        }
        await attempt { () throws(ClientError) in _ = try await client.get(name) }
        await attempt { () throws(ClientError) in _ = try await client.put(name, "x") }
        await attempt { () throws(ClientError) in
            var request = Postern_V1_RemoveRequest()
            request.path = name
            _ = try await client.remove(request)
        }
        await attempt { () throws(ClientError) in
            var request = Postern_V1_BatchGetRequest()
            request.paths = ["llm/a", name]
            _ = try await client.batchGet(request)
        }
        return codes
    }

    /// Targets of requests that no client of ours makes.
    static let targets = [
        "/admin/api/secrets/../x", "/admin/api/secrets/a/..%2f..", "/admin/api/secrets/%2e%2e/x",
        "/admin/api/secrets/.postern/keyring/llm", "/admin/api/secrets/a%00b", "/admin/api/secrets/a%ff",
        "/admin/api/secrets/a%2", "/admin/api/secrets/a//b", "/admin/api/secrets/a%2fb%2f..%2f..", "/admin/api/../..",
        "/admin/api/secrets?limit=0", "/admin/api/secrets?limit=x", "/admin/api/secrets?nonsense=1",
        "/admin/api/secrets?prefix=..", "/admin/api/secrets?prefix=.postern", "/admin/api/secrets?prefix=%ff",
    ]

    @Test func `a hostile target is refused with a problem`() async throws {
        try await withGateway { gateway in
            for target in Self.targets {
                let answer = try await gateway.admin("GET", target)
                #expect([400, 404].contains(answer.status), "\(target): \(answer.status) \(answer.text)")
                #expect(answer.headers["content-type"] == "application/problem+json", "\(target)")
                let code = try answer.code()
                #expect(code == (answer.status == 404 ? "not_found" : "invalid_argument"), "\(target)")
            }
        }
    }

    /// Bodies that are not what a write needs.
    static let bodies = [
        "", "{", "[]", "null", "{\"name\":1,\"value\":\"x\"}", "{\"name\":\"a\"}", "{\"name\":\"a\",\"value\":\"x\"} x",
        "{\"name\":\"a\",\"value\":\"x\",\"extra\":1}", "{\"name\":\"a\",\"name\":\"b\",\"value\":\"x\"}",
        "{\"name\":\"a\",\"value_base64\":\"!\"}", "{\"name\":\"a\",\"value\":\"x\",\"expected_version\":-1}",
        "{\"name\":\"a\",\"value\":\"\\ud800\"}", "{\"name\":\"a\",\"fields\":{}}",
    ]

    @Test func `JSON that is wrong is refused, and nothing is written`() async throws {
        try await withGateway { gateway in
            for body in Self.bodies {
                let answer = try await gateway.admin("POST", "/admin/api/secrets", json: body)
                #expect(answer.status == 400, "\(body): \(answer.text)")
                #expect(try answer.code() == "invalid_argument", "\(body)")
            }
            #expect(try await gateway.admin("GET", "/admin/api/secrets/a").status == 404)
        }
    }

    @Test func `a body of the wrong kind is refused`() async throws {
        try await withGateway { gateway in
            let path = "/admin/api/secrets"
            let good = Data(#"{"name":"a","value":"x"}"#.utf8)
            var invalid = Data(#"{"name":"a","value":""#.utf8)
            invalid.append(contentsOf: [0xFF, 0xFE])
            invalid.append(Data(#""}"#.utf8))
            let json = "content-type: application/json"
            let big = Data(repeating: UInt8(ascii: " "), count: 2_000_000)
            for (method, body, headers, status) in [
                ("POST", invalid, [json], 400), ("POST", good, ["content-type: text/plain"], 415),
                ("POST", good, ["content-type:"], 415), ("POST", good, [json, "content-encoding: gzip"], 415),
                ("POST", big, [json], 413), ("PUT", good, [json], 405),
            ] {
                let answer = try await gateway.admin(method, path, body: body, headers: headers)
                #expect(answer.status == status, "\(method) \(headers): \(answer.text)")
                #expect(answer.headers["content-type"] == "application/problem+json")
            }
            #expect(try await gateway.admin("GET", "\(path)/a").status == 404)
        }
    }

    @Test func `compare-and-set on a secret that is not there is a conflict with version 0`() async throws {
        try await withGateway { gateway in
            let refusal = try await gateway.refusal(as: "operator") { client in
                _ = try await client.put("cas/none", Data("x".utf8), expecting: 3)
            }
            #expect(refusal.error.code == .conflict)
            #expect(refusal.error.currentVersion == 0)
            let answer = try await gateway.admin(
                "POST", "/admin/api/secrets", json: #"{"name":"cas/none","value":"x","expected_version":3}"#)
            #expect(answer.status == 409)
            #expect(try answer.json()["current_version"] == .number(0))
        }
    }

    @Test func `the limit on a secret's size holds at both front ends`() async throws {
        try await withGateway(GatewaySettings(overrides: ["limits.max_payload_bytes=1000"])) { gateway in
            let long = String(repeating: "v", count: 1_000)
            let refusal = try await gateway.refusal(as: "operator") { _ = try await $0.put("big", long) }
            #expect(refusal.error.code == .tooLarge)
            let answer = try await gateway.admin(
                "POST", "/admin/api/secrets", json: #"{"name":"big","value":"\#(long)"}"#)
            #expect(answer.status == 413, "\(answer.text)")
            _ = try await gateway.client { try await $0.put("big", String(long.dropLast(5))) }
        }
    }
}
