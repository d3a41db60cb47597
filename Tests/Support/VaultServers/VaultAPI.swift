// Vault's HTTP API for tests, through curl: somebody else's client.

public import Foundation
import TestPrograms

/// A server's API with a token.
public struct VaultAPI: Sendable {
    /// As VAULT_ADDR has it.
    public let address: String
    /// The token to use.
    public var token: String
    /// The authority's file, where TLS is used.
    public let authority: String?
    /// The namespace, if one is used.
    public var namespace: String?

    /// Describes an API.
    public init(address: String, token: String, authority: String? = nil) {
        self.address = address
        self.token = token
        self.authority = authority
    }

    /// An answer.
    public struct Answer: Sendable {
        /// The HTTP status, or 0 if there was no answer.
        public let status: Int
        /// The body.
        public let body: Data

        /// The body as JSON.
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:]
        }

        /// A value inside the body.
        public func value<T>(_ path: String..., as: T.Type = T.self) throws -> T {
            var here: Any = json
            for step in path { here = (here as? [String: Any])?[step] ?? NSNull() }
            guard let value = here as? T else {
                throw HarnessError(
                    description: "No \(path) in \(status): \(String(decoding: body.prefix(500), as: UTF8.self))")
            }
            return value
        }
    }

    /// Makes a request.
    /// - Parameters:
    ///   - path: below /v1/.
    ///   - body: a JSON text.
    public func call(
        _ method: String, _ path: String, _ body: String? = nil, contentType: String = "application/json"
    ) async throws -> Answer {
        var arguments = [
            "--silent", "--show-error", "--max-time", "60", "--request", method, "--write-out", "\n%{http_code}",
            "--header", "Content-Type: \(contentType)", "\(address)/v1/\(path)",
        ]
        if !token.isEmpty { arguments += ["--header", "X-Vault-Token: \(token)"] }
        if let authority { arguments += ["--cacert", authority] }
        if let namespace { arguments += ["--header", "X-Vault-Namespace: \(namespace)"] }
        if body != nil { arguments += ["--data-binary", "@-"] }
        let result = try await run("curl", arguments, input: Data((body ?? "").utf8))
        let parts = result.output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let status = parts.last.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        return Answer(status: status, body: Data(result.output.prefix(max(0, result.output.count - 4))))
    }

    /// Makes a request that must succeed.
    @discardableResult
    public func must(
        _ method: String, _ path: String, _ body: String? = nil, contentType: String = "application/json"
    ) async throws -> Answer {
        let answer = try await call(method, path, body, contentType: contentType)
        guard (200..<300).contains(answer.status) else {
            throw HarnessError(
                description: "\(method) \(path): \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        return answer
    }

    /// Makes a request again and again until it succeeds.
    @discardableResult
    public func eventuallyMust(_ method: String, _ path: String, _ body: String? = nil) async throws -> Answer {
        var last: Answer?
        do {
            try await eventually("\(method) \(path) succeeds", within: .seconds(120)) {
                let answer = try await call(method, path, body)
                last = answer
                return (200..<300).contains(answer.status)
            }
        } catch let error as HarnessError {
            let said = last.map { "\($0.status) \(String(decoding: $0.body, as: UTF8.self))" } ?? "nothing"
            throw HarnessError(description: "\(error.description) The last answer: \(said)")
        }
        guard let last else { throw HarnessError(description: "\(method) \(path) was never tried.") }
        return last
    }

    /// Enables a KV v2 mount of a test's own and waits until it can be used.
    public func makeKV(_ mount: String = "kv-\(UUID().uuidString.lowercased())") async throws -> String {
        try await must("POST", "sys/mounts/\(mount)", #"{"type":"kv","options":{"version":"2"}}"#)
        // A new mount refuses until it has made itself ready.
        try await eventuallyMust("GET", "\(mount)/config")
        return mount
    }

    /// Makes a token with a policy of its own.
    /// - Parameters:
    ///   - policy: in Vault's policy language.
    ///   - options: further members of the request, as JSON without the braces.
    public func makeToken(policy: String, options: String = #""ttl":"1h""#) async throws -> String {
        let name = "test-\(UUID().uuidString.lowercased())"
        let text = try JSONSerialization.data(withJSONObject: ["policy": policy])
        try await must("PUT", "sys/policies/acl/\(name)", String(decoding: text, as: UTF8.self))
        return try await must("POST", "auth/token/create", #"{"policies":["\#(name)"],\#(options)}"#)
            .value("auth", "client_token")
    }
}
