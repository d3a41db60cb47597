// One HTTP exchange with a cloud's service, and why there was none.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import PosternCoding
import PosternConcurrency
import PosternConnections
import PosternProtocol
import Synchronization

/// What is asked of a service.
struct CloudRequest: Sendable {
    let method: HTTPMethod
    let url: ServiceURL
    var headers: [(name: String, value: String)] = []
    var body: ByteBuffer?

    static func get(_ url: ServiceURL) -> CloudRequest { CloudRequest(method: .GET, url: url) }

    static func post(_ url: ServiceURL, _ body: ByteBuffer, type: String) -> CloudRequest {
        CloudRequest(method: .POST, url: url, headers: [("Content-Type", type)], body: body)
    }
}

/// What a service answered.
struct CloudAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: ByteBuffer

    /// Whether it did what was asked.
    var isSuccess: Bool { (200..<300).contains(status) }

    /// A header's value.
    func header(_ name: String) -> String? { headers.first(name: name) }

    /// Reads the answer's JSON object.
    /// - Throws: `invalid_argument` saying what is wrong with it, without any of it.
    func read(_ member: (inout JSONReader, String) throws(SecretError) -> Void) throws(SecretError) {
        try body.withUnsafeReadableBytes { (bytes) throws(SecretError) in
            try JSONReader.read(bytes, member: member)
        }
    }
}

/// Why there is no answer.
enum CloudFailure: Error {
    /// The service could not be asked, or its answer did not arrive whole; says why, to follow the service's address.
    case noAnswer(String)
    /// The caller gave up.
    case cancelled

    /// What an error below HTTP means.
    init(_ error: any Error) {
        switch error {
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError where error == .cancelled: self = .cancelled
        case is NIOTooManyBytesError:
            self = .noAnswer("it answered with more than \(CloudHTTP.maximumAnswerBytes) bytes")
        default: self = .noAnswer(ConnectionTrouble.describe(error))
        }
    }
}

/// The connections to a cloud's services.
final class CloudHTTP: Sendable {
    /// The largest answer that is read. Keys and tokens are small.
    static let maximumAnswerBytes = 256 << 10

    private let client: HTTPClient
    private let isClosed = Atomic(false)

    /// Makes one.
    /// - Parameters:
    ///   - group: whose event loops do the work.
    ///   - authorities: a PEM file of the authorities to trust; nil for the system's.
    /// - Throws: `invalid_argument` if the file cannot be used.
    init(group: any EventLoopGroup, authorities: String? = nil) throws(SecretError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let authorities {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
            } catch {
                throw SecretError(
                    .invalidArgument, "\(authorities) cannot be used for TLS: it must be certificates in PEM.")
            }
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(3)))
        configuration.connectionPool.retryConnectionEstablishment = false
        // A few calls an hour: nothing is to be gained from more.
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Asks, and waits no longer than the deadline, whatever the service does.
    func send(_ request: CloudRequest, deadline: Deadline) async throws(CloudFailure) -> CloudAnswer {
        guard !Task.isCancelled else { throw .cancelled }
        guard !deadline.hasPassed else { throw .noAnswer("there was no time left to ask") }
        var outgoing = HTTPClientRequest(url: request.url.description)
        outgoing.method = request.method
        outgoing.headers.add(name: "Host", value: request.url.authority)
        for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
        if let body = request.body { outgoing.body = .bytes(body) }

        // The exchange is a task of its own: a client that is slow to notice a cancellation holds nobody up.
        let answer = SharedResult<Result<CloudAnswer, CloudFailure>>()
        let task = Task { [client, outgoing] in
            do {
                let response = try await client.execute(outgoing, deadline: deadline.nio)
                let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
                answer.complete(
                    .success(
                        .success(
                            CloudAnswer(
                                status: Int(response.status.code), headers: response.headers, body: body))))
            } catch {
                answer.complete(.success(.failure(CloudFailure(error))))
            }
        }
        let result: Result<CloudAnswer, CloudFailure>
        do throws(SecretError) {
            result = try await answer.value(deadline: deadline, what: request.url.origin)
        } catch {
            task.cancel()
            throw error.code == .cancelled ? .cancelled : .noAnswer("it did not answer in time")
        }
        return try result.get()
    }

    /// Closes the connections.
    func close() async throws {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return }
        try await client.shutdown()
    }

    deinit {
        guard !isClosed.load(ordering: .relaxed) else { return }
        // Nobody waits for it, and nobody can use it any more: how it ends makes no difference.
        client.shutdown { [client] _ in _ = client }
    }
}

extension Deadline {
    /// The deadline as NIO counts.
    fileprivate var nio: NIODeadline {
        let left = remaining.components
        let nanoseconds = left.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let amount = nanoseconds.overflow ? Int64.max / 4 : nanoseconds.partialValue + left.attoseconds / 1_000_000_000
        return .now() + .nanoseconds(amount)
    }
}

extension CloudFailure {
    /// The failure of an attempt to ask a service.
    /// - Parameters:
    ///   - service: which it was, to start a sentence.
    ///   - advice: what to do about it; a sentence.
    func failure(_ service: String, advice: String = "") -> Attempts.Failure {
        switch self {
        case .cancelled:
            .lasting(SecretError(.cancelled, "The caller gave up while a service was asked."))
        case .noAnswer(let why):
            .passing(
                SecretError(
                    .keyUnavailable, "\(service): \(why).\(advice.isEmpty ? "" : " " + advice)", retryAfterSeconds: 1))
        }
    }
}
