// A client of the admin API, for commands.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOSSL
import PosternProtocol

/// Talks to one gateway's admin API. Shut it down in the end.
struct AdminClient: Sendable {
    /// The longest answer: a register of some ten thousand domains.
    private static let maximumAnswer = 64 << 20

    private let http: HTTPClient
    private let base: String
    private let key: SecretBytes
    private let timeout: Duration
    private let reason: String
    private let ticket: String

    /// Makes a client; nothing is sent yet.
    /// - Parameters:
    ///   - address: host:port.
    ///   - authoritiesFile: PEM file of the authorities to trust; nil for the system's.
    ///   - key: the admin key.
    ///   - timeout: how long a request may take.
    init(
        address: String, authoritiesFile: String?, key: SecretBytes, timeout: Duration, reason: String, ticket: String
    ) throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authoritiesFile { tls.trustRoots = .file(authoritiesFile) }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // The key must go nowhere else.
        configuration.redirectConfiguration = .disallow
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        base = "https://\(address)/admin/api/"
        self.key = key
        self.timeout = timeout
        self.reason = reason
        self.ticket = ticket
    }

    func shutdown() async throws { try await http.shutdown() }

    /// Asks for something.
    func get<Answer: Decodable>(_ path: String, _: Answer.Type) async throws -> Answer {
        try await send(.GET, path, nil)
    }

    /// Has something done.
    /// - Parameter body: the request's members; encoded with snake_case names.
    func post<Answer: Decodable>(_ path: String, _ body: some Encodable, _: Answer.Type) async throws -> Answer {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try await send(.POST, path, ByteBuffer(data: try encoder.encode(body)))
    }

    private func send<Answer: Decodable>(
        _ method: HTTPMethod, _ path: String, _ body: ByteBuffer?
    ) async throws -> Answer {
        let text = try await exchange(method, path, body)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(Answer.self, from: text)
        } catch {
            throw SecretError(.internalError, "\(base)\(path) did not answer as it should: \(error).")
        }
    }

    /// Makes a request.
    /// - Parameter body: a JSON text.
    /// - Returns: the body of an answer of success.
    /// - Throws: `SecretError`: the gateway's, as it says so in its problem details.
    func exchange(_ method: HTTPMethod, _ path: String, _ body: ByteBuffer?) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        key.withUnsafeBytes { bytes in
            request.headers.add(name: "authorization", value: "Bearer " + String(decoding: bytes, as: UTF8.self))
        }
        request.headers.add(name: "x-postern-timeout-ms", value: String(Int(timeout / .milliseconds(1))))
        if !reason.isEmpty { request.headers.add(name: "x-postern-reason", value: reason) }
        if !ticket.isEmpty { request.headers.add(name: "x-postern-ticket", value: ticket) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        let response: HTTPClientResponse
        let text: ByteBuffer
        do {
            // Some time beyond what the server has, so that its own word on being late arrives.
            response = try await http.execute(
                request, timeout: .nanoseconds(Int64((timeout + .seconds(5)) / .nanoseconds(1))))
            text = try await response.body.collect(upTo: Self.maximumAnswer)
        } catch {
            throw SecretError(.backendUnavailable, "The gateway at \(base) does not answer: \(error).")
        }
        guard (200...299).contains(response.status.code) else {
            guard let problem = try? JSONDecoder().decode(Problem.self, from: text) else {
                // Whatever it is, the status is all there is to say of it.
                throw SecretError(
                    .internalError, "\(base) answered with status \(response.status.code) and no problem of Postern's.")
            }
            throw SecretError(SecretError.Code(rawValue: problem.code) ?? .internalError, problem.detail)
        }
        return text
    }

    /// What is read of problem details (RFC 9457).
    private struct Problem: Decodable {
        let code: String
        let detail: String
    }
}
