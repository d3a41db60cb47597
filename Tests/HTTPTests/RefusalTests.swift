import HummingbirdCore
import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Bad requests` {
    @Test(arguments: [
        ("not json", "JSON object"),
        (#"{"name":"a","value":"x""#, "not valid JSON"),
        (#"{"name":"a","value":"x"} extra"#, "goes on"),
        (#"[]"#, "JSON object"),
        (#"{"name":"a","value":"x","colour":"red"}"#, "colour"),
        (#"{"name":"a","value":"x","name":"b"}"#, "more than once"),
        (#"{"name":"a","fields":{"f":"1","f":"2"}}"#, "more than once"),
        (#"{"name":1,"value":"x"}"#, "\"name\" must be a string"),
        (#"{"name":"a","value":5}"#, "\"value\" must be a string"),
        (#"{"name":"a","value":null}"#, "\"value\" must be a string"),
        (#"{"name":"a","value":"x","expected_version":"1"}"#, "expected_version"),
        (#"{"name":"a","value":"x","expected_version":1.0}"#, "expected_version"),
        (#"{"name":"a","value":"x","expected_version":-1}"#, "expected_version"),
        (#"{"name":"a","value":"x","expected_version":99999999999999999999}"#, "expected_version"),
        (#"{"name":"a"}"#, "exactly one"),
        (#"{"name":"a","value":"x","value_base64":"eA=="}"#, "exactly one"),
        (#"{"value":"x"}"#, "\"name\""),
        (#"{"name":"a","value_base64":"e"}"#, "base64"),
        (#"{"name":"a","value_base64":"eB=="}"#, "base64"),
        (#"{"name":"a","fields":{}}"#, "at least one field"),
        (#"{"name":"a","fields":{"f":{"base64":"eA==","x":"y"}}}"#, "base64"),
        (#"{"name":"a","fields":{"f":{}}}"#, "base64"),
        (#"{"name":"a","value":"\ud800"}"#, "escape"),
        (#"{"name":"a","value":"\x"}"#, "escape"),
        (#"{"name":"../a","value":"x"}"#, "not allowed"),
        (#"{"name":".postern/keyring","value":"x"}"#, "reserved"),
        (#"{"name":"a/","value":"x"}"#, "slash"),
    ])
    func `a write that is not right is refused and says what is wrong`(body: String, part: String) async throws {
        let stack = try Stack()
        let answer = try await stack.send(.post, "/admin/api/secrets", body)
        #expect(answer.status == 400)
        #expect(answer.string("code") == "invalid_argument")
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(answer.string("detail")?.contains(part) == true, "\(answer.text)")
        #expect(try stack.records().isEmpty, "nothing was attempted")
    }

    @Test func `values never come back in an error`() async throws {
        let stack = try Stack()
        for body in [
            #"{"name":"a","value":"canary-1\x"}"#, #"{"name":"a","value_base64":"canary-2"}"#,
            #"{"name":"a","value":"canary-3","oops":1}"#, #"{"name":"a b","value":"canary-4"}"#,
            #"{"name":"a","value":"canary-5"#, #"{"name":"a","fields":{"f":["canary-6"]}}"#,
        ] {
            let answer = try await stack.send(.post, "/admin/api/secrets", body)
            #expect(answer.status == 400)
            #expect(!answer.text.contains("canary"))
        }
        #expect(!stack.logs.text.contains("canary"))
    }

    @Test(arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] as [[UInt8]])
    func `text that is not UTF-8 is refused`(value: [UInt8]) async throws {
        let stack = try Stack()
        let bytes = Array(#"{"name":"a","value":"#.utf8) + value + Array("}".utf8)
        let answer = try await stack.send(.post, "/admin/api/secrets", bytes: bytes)
        #expect(answer.status == 400)
        #expect(answer.string("detail")?.contains("UTF-8") == true)
    }

    @Test(arguments: [
        "/admin/api/secrets/app/../root", "/admin/api/secrets/..%2froot", "/admin/api/secrets/%2e%2e/root",
        "/admin/api/secrets/app/%2E%2e%2Froot", "/admin/api/secrets/app/./a", "/admin/api/secrets/.postern/keyring",
        "/admin/api/secrets/%252e%252e/root", "/admin/api/secrets/app//a", "/admin/api/secrets/app/a/",
        "/admin/api/secrets/app/%00", "/admin/api/secrets/app/%ff", "/admin/api/secrets/app/%4",
        "/admin/api/secrets/a%20b",
        "/admin/api/secrets/..%2froot:versions",
    ])
    func `a path that is no name is refused`(uri: String) async throws {
        let stack = try Stack()
        try await stack.put("root")
        let answer = try await stack.send(.get, uri)
        #expect(answer.status == 400, "\(answer.text)")
        #expect(answer.string("code") == "invalid_argument")
    }

    @Test(arguments: [
        "?colour=red", "?limit=0", "?limit=1001", "?limit=x", "?recursive=yes", "?limit=1&limit=2", "?prefix=..",
        "?prefix=%zz", "?prefix=/",
    ])
    func `a query that is not right is refused`(query: String) async throws {
        let stack = try Stack()
        #expect(try await stack.send(.get, "/admin/api/secrets" + query).status == 400)
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "/"), (.get, "/admin"), (.get, "/admin/api/nothing"),
        (.post, "/admin/api/secrets/a:fly"),
        (.get, "//admin/api/secrets/a"), (.get, "/admin//api/secrets/a"),
    ])
    func `what is not there is 404`(method: HTTPRequest.Method, uri: String) async throws {
        let stack = try Stack()
        let answer = try await stack.send(method, uri)
        #expect(answer.status == 404)
        #expect(answer.string("code") == "not_found")
    }

    @Test(arguments: [
        (HTTPRequest.Method.put, "/admin/api/secrets", "GET, POST"), (.post, "/admin/api/secrets/a", "GET, DELETE"),
        (.get, "/admin/api/secrets/a:reveal", "POST"), (.post, "/admin/api/secrets/a:metadata", "PATCH"),
        (.post, "/healthz", "GET"), (.delete, "/admin/api/audit/tail", "GET"),
    ])
    func `a wrong method is told the right ones`(method: HTTPRequest.Method, uri: String, allow: String) async throws {
        let stack = try Stack()
        let answer = try await stack.send(method, uri)
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == allow)
    }

    @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""])
    func `a body that is not JSON is 415`(type: String) async throws {
        let stack = try Stack()
        let answer = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"a","value":"x"}"#, headers: [.contentType: type])
        #expect(answer.status == 415)
    }

    @Test func `a body past the limit is 413`() async throws {
        let stack = try Stack { $0.maximumBodyBytes = 100 }
        let value = String(repeating: "x", count: 100)
        let answer = try await stack.send(.post, "/admin/api/secrets", #"{"name":"a","value":"\#(value)"}"#)
        #expect(answer.status == 413)
        #expect(answer.string("code") == "too_large")
        #expect(answer.headers[.connection] == "close")
    }

    @Test func `a payload past the limit is 413`() async throws {
        let stack = try Stack()
        let value = String(repeating: "x", count: 1 << 20)
        let answer = try await stack.send(.post, "/admin/api/secrets", #"{"name":"a","value":"\#(value)"}"#)
        #expect(answer.status == 413)
    }

    @Test func `a reason that is too long is refused`() async throws {
        let stack = try Stack()
        let reason = String(repeating: "x", count: 600)
        let answer = try await stack.send(.post, "/admin/api/secrets/a:reveal", #"{"reason":"\#(reason)"}"#)
        #expect(answer.status == 400)
    }

    @Test(arguments: ["0", "-1", "soon", "1.5"])
    func `a timeout that is none is refused`(text: String) async throws {
        let stack = try Stack()
        let answer = try await stack.send(.get, "/admin/api/secrets/a", headers: [.posternTimeout: text])
        #expect(answer.status == 400)
    }

    @Test func `every code of the closed set has its status and its words`() throws {
        for code in SecretError.Code.allCases {
            let response = Problem(SecretError(code, "what", retryAfterSeconds: 7)).response(requestID: "id")
            #expect(response.status.code == code.httpStatus)
            #expect(response.headers[.retryAfter] == "7")
            #expect(!Problem.title(of: code).isEmpty)
        }
    }

    @Test func `headers have the names that the documentation says`() {
        let names: [HTTPField.Name] = [
            .xRequestID, .xAdminKey, .posternTimeout, .posternReason, .posternTicket, .posternApproverKey,
            .referrerPolicy,
        ]
        #expect(
            names.map(\.rawName) == [
                "X-Request-Id", "X-Admin-Key", "X-Postern-Timeout-Ms", "X-Postern-Reason", "X-Postern-Ticket",
                "X-Postern-Approver-Key", "Referrer-Policy",
            ])
    }

    @Test func `every answer has the security headers and its request id`() async throws {
        let stack = try Stack()
        for answer in [
            try await stack.send(.get, "/healthz", key: nil), try await stack.send(.get, "/admin/api/secrets"),
            try await stack.send(.get, "/nothing"), try await stack.send(.get, "/admin/api/secrets", key: nil),
        ] {
            #expect(answer.headers[.xContentTypeOptions] == "nosniff")
            #expect(answer.headers[.cacheControl] == "no-store")
            #expect(answer.headers[.contentSecurityPolicy]?.contains("frame-ancestors 'none'") == true)
            #expect(answer.headers[.referrerPolicy] == "no-referrer")
            #expect(answer.headers[.strictTransportSecurity] != nil)
            #expect(answer.headers[.xRequestID]?.utf8.count == 36)
        }
    }
}
