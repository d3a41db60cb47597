// One connection to a syslog server.

import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import PosternConcurrency
import PosternProtocol
import Synchronization

/// A connection to a syslog server, over which nothing ever comes back.
struct SyslogConnection: Sendable {
    private static let connectTimeout: TimeAmount = .seconds(5)
    private static let handshakeTimeout: Duration = .seconds(10)
    /// How long, in milliseconds, a server's system may leave bytes or probes unacknowledged before it counts as gone.
    private static let userTimeout: ChannelOptions.Types.SocketOption.Value = 30_000
    private static let farAway: Duration = .seconds(100 * 365 * 86_400)

    private let channel: any Channel
    private let watch: Watch

    /// Connects.
    init(to options: SyslogOptions, group: any EventLoopGroup) async throws(SinkFailure) {
        let watch = Watch()
        let context: NIOSSLContext?
        do {
            context = try options.tls.map { try NIOSSLContext(configuration: try $0.configuration()) }
        } catch {
            throw SinkFailure(error)
        }
        // An IP address is verified as such, and is no server name (RFC 6066 §3).
        let name = options.host.isIPAddress ? nil : options.host
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(Self.connectTimeout)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), value: Self.userTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let context {
                            try channel.pipeline.syncOperations.addHandler(
                                try NIOSSLClientHandler(context: context, serverHostname: name))
                        }
                        try channel.pipeline.syncOperations.addHandler(watch)
                    }
                }
                .connect(host: options.host, port: options.port).get()
        } catch {
            throw SinkFailure(error)
        }
        self.watch = watch
        guard context != nil else { return }
        do throws(SecretError) {
            try await watch.isSecure.value(deadline: .after(Self.handshakeTimeout), what: "the TLS handshake")
        } catch {
            drop()
            throw watch.failure ?? SinkFailure(message: "the TLS handshake did not end in time")
        }
    }

    var isOpen: Bool { channel.isActive }

    /// Writes bytes and waits until the system has taken them, for as long as the server is there: one that does not read
    /// has them still, and if they went over another connection too, it would read both at once and out of order.
    func write(_ bytes: ByteBuffer) async throws(SinkFailure) {
        let written = SharedResult<Result<Void, SinkFailure>>()
        let watch = watch
        channel.writeAndFlush(bytes).whenComplete { result in
            written.complete(
                .success(
                    result.mapError { watch.failure ?? SinkFailure($0) }))
        }
        let result: Result<Void, SinkFailure>
        do throws(SecretError) {
            result = try await written.value(deadline: .after(Self.farAway), what: "the syslog server to read")
        } catch {
            throw SinkFailure(message: "delivery was stopped")
        }
        try result.get()
    }

    /// Cuts the connection off.
    func drop() { channel.close(promise: nil) }

    /// Says that nothing more comes, and waits until the server has read all of it and closes too.
    /// - Returns: whether it did.
    func finish(deadline: Deadline) async -> Bool {
        guard channel.isActive else { return false }
        let closed = SharedResult<Void>()
        channel.closeFuture.whenComplete { _ in closed.complete(.success(())) }
        channel.close(mode: .output, promise: nil)
        do throws(SecretError) {
            try await closed.value(deadline: deadline, what: "the syslog server to close")
            return watch.failure == nil
        } catch {
            drop()
            return false
        }
    }

    /// Takes what the server sends for nothing, and remembers what went wrong.
    private final class Watch: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let problem = Mutex<String?>(nil)
        /// Whether the TLS handshake has ended.
        let isSecure = SharedResult<Void>()

        var failure: SinkFailure? { problem.withLock { $0 }.map { SinkFailure(message: $0) } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.handshakeCompleted) = event as? TLSUserEvent { isSecure.complete(.success(())) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            isSecure.complete(.failure(SecretError(.backendUnavailable, "The connection broke.")))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            problem.withLock { $0 = $0 ?? SinkFailure(error).message }
            context.close(promise: nil)
        }
    }
}
