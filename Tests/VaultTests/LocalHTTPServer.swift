// An HTTP server within the test, for peers that cannot be had otherwise.

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Answers JSON with JSON on a free port of the loopback.
final class LocalHTTPServer: Sendable {
    /// What answers: given the head and the body's object, which is empty where there is none.
    typealias Answer = @Sendable (HTTPRequestHead, [String: Any]) -> (HTTPResponseStatus, [String: Any])

    let address: String
    private let channel: any Channel

    init(_ answer: @escaping Answer) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        address = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    func close() async throws {
        try await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: Answer
        private var head: HTTPRequestHead?
        private var body = Data()

        init(_ answer: @escaping Answer) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = Data()
            case .body(let part):
                body += Data(part.readableBytesView)
            case .end:
                guard let head else { return }
                // What is no JSON object counts as an empty one.
                let object = (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:]
                let (status, answer) = answer(head, object)
                let text = (try? JSONSerialization.data(withJSONObject: answer)) ?? Data()
                let headers: HTTPHeaders = ["Content-Type": "application/json", "Content-Length": "\(text.count)"]
                context.write(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
                    promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: text)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
