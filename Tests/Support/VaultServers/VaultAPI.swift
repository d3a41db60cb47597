// Vault's HTTP API for tests.

import AsyncHTTPClient
public import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
import TestPrograms

/// HTTP clients by the authority that they trust; they live as long as the process.
private let clients = Mutex<[String: HTTPClient]>([:])

private func client(trusting authority: String?) throws -> HTTPClient {
    try clients.withLock { clients in
        if let client = clients[authority ?? ""] { return client }
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(5))
        configuration.connectionPool.retryConnectionEstablishment = false
        if let authority {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
            configuration.tlsConfiguration = tls
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        clients[authority ?? ""] = client
        return client
    }
}

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

        /// An answer that was got in another way.
        public init(status: Int, body: Data) {
            self.status = status
            self.body = body
        }

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
        var request = HTTPClientRequest(url: "\(address)/v1/\(path)")
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "Content-Type", value: contentType)
        if !token.isEmpty { request.headers.add(name: "X-Vault-Token", value: token) }
        if let namespace { request.headers.add(name: "X-Vault-Namespace", value: namespace) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        do {
            let response = try await client(trusting: authority).execute(request, timeout: .seconds(30))
            let buffer = try await response.body.collect(upTo: 1 << 26)
            return Answer(status: Int(response.status.code), body: Data(buffer.readableBytesView))
        } catch let error as CancellationError {
            throw error
        } catch {
            return Answer(status: 0, body: Data("\(error)".utf8))
        }
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
