import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Pages from elsewhere` {
    private static let console = "https://console.example.com"

    private func stack() throws -> Stack {
        try Stack { $0.allowedOrigins = [Self.console] }
    }

    @Test func `an allowed origin gets its preflight and its answers`() async throws {
        let stack = try stack()
        let preflight = try await stack.send(
            .options, "/admin/api/secrets", key: nil,
            headers: [.origin: Self.console, .accessControlRequestMethod: "POST"])
        #expect(preflight.status == 204)
        #expect(preflight.headers[.accessControlAllowOrigin] == Self.console)
        #expect(preflight.headers[.accessControlAllowHeaders]?.contains("X-Admin-Key") == true)
        #expect(preflight.headers[.accessControlAllowCredentials] == nil)
        let written = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"a","value":"x"}"#, headers: [.origin: Self.console])
        #expect(written.status == 201)
        #expect(written.headers[.accessControlAllowOrigin] == Self.console)
        #expect(written.headers[.vary] == "Origin")
        let refused = try await stack.send(.get, "/admin/api/secrets", key: nil, headers: [.origin: Self.console])
        #expect(refused.status == 401)
        #expect(refused.headers[.accessControlAllowOrigin] == Self.console, "the page can read why")
    }

    @Test(arguments: [
        "https://evil.example.com", "null", "http://console.example.com", "https://console.example.com:8443",
        "https://console.example.com.evil.net", "HTTPS://console.example.com",
    ])
    func `any other origin is refused`(origin: String) async throws {
        let stack = try stack()
        let preflight = try await stack.send(
            .options, "/admin/api/secrets", key: nil, headers: [.origin: origin, .accessControlRequestMethod: "POST"])
        #expect(preflight.status == 403)
        #expect(preflight.headers[.accessControlAllowOrigin] == nil)
        let written = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"a","value":"x"}"#, headers: [.origin: origin])
        #expect(written.status == 403)
        #expect(try stack.records().isEmpty)
        let read = try await stack.send(.get, "/admin/api/secrets", headers: [.origin: origin])
        #expect(read.headers[.accessControlAllowOrigin] == nil)
    }

    @Test func `the gateway's own page may change things`() async throws {
        let stack = try Stack()
        let written = try await stack.send(
            .post, "/admin/api/secrets", #"{"name":"a","value":"x"}"#, headers: [.origin: "https://localhost"])
        #expect(written.status == 201)
    }

    @Test(arguments: ["*", "https://*.example.com", "example.com", "https://example.com/", "https://example.com/a"])
    func `an origin that is none is refused at configuration`(origin: String) throws {
        var configuration = AdminConfiguration(keys: try AdminKeys([]))
        try configuration.check()
        configuration.allowedOrigins = [origin]
        #expect(throws: SecretError.self) { try configuration.check() }
    }
}
