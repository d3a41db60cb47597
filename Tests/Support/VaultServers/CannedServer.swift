// A fake, for what no real server says on demand: it answers every request with the same bytes, whatever they are.

import NIOCore
import NIOPosix
import Synchronization

/// A TCP server that knows nothing of HTTP but where a request ends.
public final class CannedServer: Sendable {
    private let channel: any Channel
    private let received: Received

    /// Everything that was sent to it.
    private final class Received: Sendable {
        let requests = Mutex<[String]>([])
    }

    /// As VAULT_ADDR has it.
    public var address: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    /// Stands for the server's own address in an answer.
    public static let ownAddress = "{own address}"

    /// What was asked, head and body.
    public var requests: [String] { received.requests.withLock { $0 } }

    /// Starts one.
    /// - Parameters:
    ///   - answer: the bytes of every answer.
    ///   - closes: whether the connection is closed after an answer.
    public init(_ answer: String, closes: Bool = true) async throws {
        let received = Received()
        self.received = received
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(answer: answer, closes: closes) { text in received.requests.withLock { $0.append(text) }
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// Stops it.
    public func stop() async throws {
        try await channel.close().get()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: String
        private let closes: Bool
        private let onRequest: (String) -> Void
        private var text = ""

        init(answer: String, closes: Bool, onRequest: @escaping (String) -> Void) {
            self.answer = answer
            self.closes = closes
            self.onRequest = onRequest
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            guard text.contains("\r\n\r\n") else { return }
            onRequest(text)
            text = ""
            let address = "http://127.0.0.1:\(context.localAddress?.port ?? 0)"
            let bytes = ByteBuffer(string: answer.replacing(CannedServer.ownAddress, with: address))
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            if closes { context.close(promise: nil) }
        }
    }
}
