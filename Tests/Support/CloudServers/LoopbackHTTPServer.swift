// An HTTP server on the loopback whose answers a test decides.

import NIOCore
public import NIOHTTP1
import NIOPosix
public import NIOSSL
import Synchronization

/// What was asked of a test's server.
public struct ServerRequest: Sendable {
    public let method: HTTPMethod
    /// Path and query.
    public let target: String
    public let headers: HTTPHeaders
    public let body: [UInt8]

    public var text: String { String(decoding: body, as: UTF8.self) }
    public func header(_ name: String) -> String? { headers.first(name: name) }
}

/// What a test's server does.
public enum ServerAnswer: Sendable {
    case answer(Int, [(String, String)] = [], [UInt8])
    /// Closes the connection without a word.
    case hangUp
    /// Never says anything.
    case silence
    /// These bytes, whatever they are, and the end of the connection.
    case raw(String)

    public static func json(_ status: Int = 200, _ text: String, _ headers: [(String, String)] = []) -> ServerAnswer {
        .answer(status, [("Content-Type", "application/json")] + headers, Array(text.utf8))
    }

    public static func text(_ status: Int = 200, _ text: String, _ headers: [(String, String)] = []) -> ServerAnswer {
        .answer(status, headers, Array(text.utf8))
    }
}

/// A server on 127.0.0.1.
public final class LoopbackHTTPServer: Sendable {
    public typealias Handler = @Sendable (ServerRequest) async -> ServerAnswer

    private let channel: any Channel
    private let children: Children
    private let received: Received

    private final class Children: Sendable {
        let open = Mutex<[ObjectIdentifier: any Channel]>([:])
    }

    private final class Received: Sendable {
        let requests = Mutex<[ServerRequest]>([])
    }

    /// The port it listens on.
    public var port: Int { channel.localAddress?.port ?? 0 }
    private let isTLS: Bool
    /// Its address.
    public var url: String { "\(isTLS ? "https" : "http")://127.0.0.1:\(port)" }
    /// What was asked so far.
    public var requests: [ServerRequest] { received.requests.withLock { $0 } }

    /// Starts one.
    /// - Parameters:
    ///   - port: where; 0 for any free port.
    ///   - tls: its certificate and key, for https.
    ///   - handler: answers.
    public init(port: Int = 0, tls: NIOSSLContext? = nil, _ handler: @escaping Handler) async throws {
        isTLS = tls != nil
        let children = Children()
        let received = Received()
        self.children = children
        self.received = received
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let id = ObjectIdentifier(channel)
                    children.open.withLock { $0[id] = channel }
                    channel.closeFuture.whenComplete { _ in children.open.withLock { $0[id] = nil } }
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Exchange { request in
                            received.requests.withLock { $0.append(request) }
                            return await handler(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    /// Stops it, and closes the connections to it.
    public func stop() async throws {
        try await channel.close().get()
        for child in children.open.withLock({ Array($0.values) }) { child.close(promise: nil) }
    }

    /// One connection; requests are answered one after the other.
    private final class Exchange: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let handler: Handler
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ handler: @escaping Handler) { self.handler = handler }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = []
            case .body(let part):
                body += part.readableBytesView
            case .end:
                guard let head else { return }
                let request = ServerRequest(
                    method: head.method, target: head.uri, headers: head.headers, body: body)
                Self.start(request, on: context.channel, handler)
            }
        }

        private static func start(_ request: ServerRequest, on channel: any Channel, _ handler: @escaping Handler) {
            Task { await answer(request, on: channel, handler) }
        }

        private static func answer(_ request: ServerRequest, on channel: any Channel, _ handler: Handler) async {
            let answer = await handler(request)
            // A client that has gone does not want it.
            try? await write(answer, to: channel)
        }

        private static func write(_ answer: ServerAnswer, to channel: any Channel) async throws {
            switch answer {
            case .answer(let status, let headers, let body):
                var fields = HTTPHeaders(headers)
                fields.replaceOrAdd(name: "Content-Length", value: String(body.count))
                let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
                channel.write(HTTPServerResponsePart.head(head), promise: nil)
                channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
                try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
            case .hangUp:
                try await channel.close().get()
            case .silence:
                return
            case .raw(let text):
                // Below the encoder: the bytes are no answer of its.
                try await channel.eventLoop.submit {
                    let encoder = try channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
                    encoder.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
                    encoder.close(promise: nil)
                }.get()
            }
        }
    }
}
