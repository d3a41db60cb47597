// A server that takes POST requests. An answer of 2xx is the acknowledgement.

import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import PosternConcurrency
import PosternProtocol
import Synchronization

final class WebhookSink: Sink {
    /// The largest answer that is read.
    private static let maximumAnswerBytes = 1 << 20
    /// The longest that a server can ask us to wait.
    private static let longestPause: Duration = .seconds(300)

    private let options: WebhookOptions
    private let form: RecordForm
    private let group: any EventLoopGroup
    private let clock: any WallClock
    private let client = Mutex<HTTPClient?>(nil)

    /// - Throws: `invalid_argument` if the URL cannot be used.
    init(
        _ options: WebhookOptions, form: RecordForm, group: any EventLoopGroup, clock: any WallClock
    ) throws(SecretError) {
        try Self.check(options.url)
        self.options = options
        self.form = form
        self.group = group
        self.clock = clock
    }

    let settling: Duration = .zero
    let isBroken = false

    func deliver(_ records: [DeliveredRecord], deadline: Deadline) async throws(SinkFailure) {
        guard let first = records.first, let last = records.last else { return }
        do throws(SinkFailure) {
            let client = try connected()
            let id = "\(first.origin)#\(first.index)-\(last.index)"
            let answer = try await exchange(try request(id, records), with: client, deadline: deadline)
            try check(answer.status, answer.retryAfter)
            if let problem = options.body.problem(inAnswer: answer.body) { throw SinkFailure(message: problem) }
        } catch {
            throw SinkFailure(
                message: "\(options.url): \(error.message)", retryAfter: error.retryAfter, isTooMuch: error.isTooMuch)
        }
    }

    func reset() {
        let old = client.withLock { client in
            defer { client = nil }
            return client
        }
        // Nobody uses it any more: how it ends makes no difference.
        old?.shutdown { [old] _ in _ = old }
    }

    func close() async -> Bool {
        reset()
        return true
    }

    private func request(_ id: String, _ records: [DeliveredRecord]) throws(SinkFailure) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: options.url)
        request.method = .POST
        let body = options.body.bytes(of: records, form: form)
        request.headers.add(name: "Content-Type", value: options.body.mediaType(of: form.format))
        request.headers.add(name: "User-Agent", value: "\(form.product.name)/\(form.product.version)")
        request.headers.add(name: "Idempotency-Key", value: id)
        if let file = options.authorizationFile {
            let value = try SinkFile.line(file).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            request.headers.add(name: "Authorization", value: value)
        }
        if let file = options.signingKeyFile {
            let key = try SinkFile.line(file)
            for (name, value) in try WebhookSignature.headers(id: id, time: clock.now(), body: body, key: key) {
                request.headers.add(name: name, value: value)
            }
        }
        request.body = .bytes(body)
        return request
    }

    private struct Answer: Sendable {
        let status: Int
        let retryAfter: Duration?
        let body: ByteBuffer
    }

    private func exchange(
        _ request: HTTPClientRequest, with client: HTTPClient, deadline: Deadline
    ) async throws(SinkFailure) -> Answer {
        // The exchange is a task of its own: a client that is slow to notice a cancellation holds nobody up.
        let answer = SharedResult<Result<Answer, SinkFailure>>()
        let task = Task {
            do {
                let timeout = TimeAmount.nanoseconds(max(Int64(deadline.remaining / .nanoseconds(1)), 0))
                let response = try await client.execute(request, timeout: timeout)
                let retryAfter = response.headers.first(name: "Retry-After").flatMap { Int64($0) }
                let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
                answer.complete(
                    .success(
                        .success(
                            Answer(
                                status: Int(response.status.code), retryAfter: retryAfter.map { .seconds($0) },
                                body: body))))
            } catch {
                answer.complete(.success(.failure(SinkFailure(error))))
            }
        }
        let result: Result<Answer, SinkFailure>
        do throws(SecretError) {
            result = try await answer.value(deadline: deadline, what: options.url)
        } catch {
            task.cancel()
            throw SinkFailure(message: error.code == .cancelled ? "delivery was stopped" : "it did not answer in time")
        }
        return try result.get()
    }

    private func check(_ status: Int, _ retryAfter: Duration?) throws(SinkFailure) {
        guard !(200..<300).contains(status) else { return }
        let advice =
            switch status {
            case 401, 403: "; check its authorization_file"
            case 404: "; check its url"
            case 413: "; fewer records at once are tried next"
            default: ""
            }
        throw SinkFailure(
            message: "it answered with status \(status)\(advice)",
            retryAfter: retryAfter.map { min(max($0, .zero), Self.longestPause) }, isTooMuch: status == 413)
    }

    private func connected() throws(SinkFailure) -> HTTPClient {
        if let client = client.withLock({ $0 }) { return client }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: try options.tls.configuration(), redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        let new = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        client.withLock { $0 = new }
        return new
    }

    /// Records and credentials go only where nobody can be in between.
    private static func check(_ text: String) throws(SecretError) {
        func problem(_ why: String) -> SecretError {
            SecretError(.invalidArgument, "The URL \"\(text.prefix(200))\" of a webhook cannot be used: \(why).")
        }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.encodedHost,
            !host.isEmpty, parts.user == nil, parts.password == nil, parts.fragment == nil
        else { throw problem("write https://host:port/path") }
        let isHere = ["localhost", "127.0.0.1", "[::1]"].contains(host)
        guard scheme == "https" || scheme == "http" && isHere else {
            throw problem("records and credentials go there, so that it must be https")
        }
    }
}
