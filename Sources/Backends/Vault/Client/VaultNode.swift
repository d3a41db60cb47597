// One HTTP exchange with one server.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import PosternConcurrency
import PosternProtocol
import Synchronization

/// One server and the connections to it.
final class VaultNode: Sendable {
    /// Why an exchange gave no answer.
    enum Failure: Error {
        /// The request did not reach the server.
        case notSent(String)
        /// The connection broke, or time ran out, with the request under way.
        case brokenOff(String)
        /// The caller gave up, or the gateway is ending.
        case cancelled
    }

    /// The largest answer that is read: a list of a large folder from a server that cannot page.
    static let maximumAnswerBytes = 64 << 20

    let address: VaultAddress
    private let http: HTTPClient
    private let base: String
    private let isClosed = Atomic(false)
    /// Connections opened so far: a pool that works opens few.
    private let opened: ConnectionCount

    /// Counts connections, as the HTTP client reports them.
    private final class ConnectionCount: Sendable {
        let value = Atomic<Int>(0)
    }

    init(_ address: VaultAddress, tls: VaultTLS, group: any EventLoopGroup) throws(SecretError) {
        self.address = address
        let count = ConnectionCount()
        opened = count
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: address.isTLS ? try tls.configuration() : nil,
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(3)))
        // A connection that cannot be made is this client's to deal with: there may be another server.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        let countOne: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
            count.value.add(1, ordering: .relaxed)
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        configuration.http1_1ConnectionDebugInitializer = countOne
        configuration.http2ConnectionDebugInitializer = countOne
        if let name = tls.serverName, address.isTLS {
            // The name that the certificate must have, at the address that is connected to.
            configuration.dnsOverride = [name: address.host]
            base = "https://\(name):\(address.port)/v1/"
        } else {
            base = "\(address)/v1/"
        }
        http = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// How many connections have been opened.
    var openedConnections: Int { opened.value.load(ordering: .relaxed) }

    /// Asks, and waits no longer than the deadline, whatever the server does.
    func exchange(
        _ request: VaultRequest, token: SecretBytes?, namespace: String?, index: String? = nil,
        deadline: Deadline
    ) async throws(Failure) -> VaultAnswer {
        guard !deadline.hasPassed else { throw .notSent("the deadline had passed") }
        guard !isClosed.load(ordering: .relaxed) else { throw .cancelled }
        let outgoing = outgoing(request, token: token, namespace: namespace, index: index)
        let answer = SharedResult<Result<VaultAnswer, Failure>>()
        let task = Task {
            let result: Result<VaultAnswer, Failure>
            do {
                let response = try await http.execute(outgoing, deadline: deadline.nio)
                let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
                result = .success(
                    VaultAnswer(
                        status: Int(response.status.code), body: body, node: address,
                        location: response.headers.first(name: "Location"),
                        index: response.headers.first(name: "X-Vault-Index")))
            } catch {
                result = .failure(isClosed.load(ordering: .relaxed) ? .cancelled : Self.classify(error))
            }
            answer.complete(.success(result))
        }
        let result: Result<VaultAnswer, Failure>
        do throws(SecretError) {
            result = try await answer.value(deadline: deadline, what: "\(address)")
        } catch {
            task.cancel()
            throw error.code == .cancelled ? .cancelled : .brokenOff("it did not answer in time")
        }
        return try result.get()
    }

    /// Closes the connections.
    func close() async throws {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return }
        try await http.shutdown()
    }

    deinit {
        guard !isClosed.load(ordering: .relaxed) else { return }
        // Nobody waits for it, and nobody can use it any more: how it ends makes no difference.
        http.shutdown { [http] _ in _ = http }
    }

    private func outgoing(_ request: VaultRequest, token: SecretBytes?, namespace: String?, index: String?)
        -> HTTPClientRequest
    {
        var outgoing = HTTPClientRequest(url: base + request.path)
        outgoing.method = request.method
        // Vault refuses requests without it where a proxy could be made to send them.
        outgoing.headers.add(name: "X-Vault-Request", value: "true")
        if let index {
            outgoing.headers.add(name: "X-Vault-Index", value: index)
            outgoing.headers.add(name: "X-Vault-Inconsistent", value: "forward-active-node")
        }
        if let token { outgoing.headers.add(name: "X-Vault-Token", value: token.text) }
        if let namespace, request.usesNamespace { outgoing.headers.add(name: "X-Vault-Namespace", value: namespace) }
        if let body = request.body {
            outgoing.headers.add(name: "Content-Type", value: request.contentType)
            outgoing.body = .bytes(body)
        }
        return outgoing
    }

    /// Tells what never left from what may have arrived.
    ///
    /// A caller who gives up is seen where the answer is waited for, not here: what the HTTP client calls cancelled is a request
    /// whose HTTP/2 connection was closing.
    static func classify(_ error: any Error) -> Failure {
        if let error = error as? HTTPClientError {
            switch error {
            case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
                return .notSent("no connection could be made in time")
            case .cancelled: return .brokenOff("the connection was closing")
            case .deadlineExceeded, .readTimeout, .writeTimeout: return .brokenOff("it did not answer in time")
            default: return .brokenOff("the connection broke (\(error.shortDescription))")
            }
        }
        if error is NIOTooManyBytesError { return .brokenOff("it answered with more than \(maximumAnswerBytes) bytes") }
        return ConnectionTrouble.describe(error)
    }
}

extension Deadline {
    /// The deadline as NIO counts.
    var nio: NIODeadline {
        let left = remaining.components
        let nanoseconds = left.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let amount = nanoseconds.overflow ? Int64.max / 4 : nanoseconds.partialValue + left.attoseconds / 1_000_000_000
        return .now() + .nanoseconds(amount)
    }
}

extension SecretBytes {
    /// The bytes as a text, for the HTTP client, which takes headers only as such.
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
