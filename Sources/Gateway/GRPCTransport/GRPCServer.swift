// The server: accepts connections, keeps the limits on them, and shuts down in order.

public import Logging
public import NIOCore
import NIOPosix
public import NIOSSL
import Synchronization

/// A gRPC server over HTTP/2 and TLS. It knows nothing of what its messages mean.
///
/// ```swift
/// let server = GRPCServer(methods: ["/echo.Echo/Say": .unary { _, message in message }], tls: { context }, …)
/// let address = try await server.start()
/// …
/// await server.shutdown(within: .seconds(10))
/// ```
public final class GRPCServer: Sendable {
    private enum Phase {
        case idle
        case running(any Channel)
        case stopped
    }

    /// Why a server cannot start.
    public enum StartError: Error, CustomStringConvertible {
        /// It has been started before.
        case alreadyStarted
        /// It has no address to listen on.
        case noAddress

        /// What happened, and what to do about it.
        public var description: String {
            switch self {
            case .alreadyStarted: "The gRPC server has been started before; make a new one."
            case .noAddress: "The gRPC server's listening socket has no address."
            }
        }
    }

    /// How long the detail of a refusal may be, in characters: it goes to logs, one line for each refusal.
    private static let maximumDetail = 200

    private let shared: HTTP2Connection.Shared
    private let tls: @Sendable () throws -> NIOSSLContext
    private let admit: @Sendable (RPCPeer) async -> RPCAdmission
    private let group: any EventLoopGroup
    private let logger: Logger
    private let registry: ConnectionRegistry
    private let executors: LoopExecutors
    private let phase = Mutex(Phase.idle)

    /// Makes a server.
    /// - Parameters:
    ///   - configuration: its limits and times.
    ///   - methods: what it serves, by `/package.Service/Method`.
    ///   - tls: the TLS context of the next connection, asked anew for each, so that certificates can be replaced.
    ///     It must offer `h2` by ALPN, and require client certificates if callers are to have one.
    ///   - admit: decides whether to serve a peer whose handshake is done. It is bound by the handshake timeout.
    ///   - group: where connections run. The server does not shut it down.
    ///   - observer: hears of connections and calls.
    public init(
        configuration: Configuration = Configuration(), methods: [String: RPCMethod],
        tls: @escaping @Sendable () throws -> NIOSSLContext,
        admit: @escaping @Sendable (RPCPeer) async -> RPCAdmission,
        group: any EventLoopGroup, logger: Logger, observer: (any RPCObserver)? = nil
    ) {
        shared = HTTP2Connection.Shared(
            configuration: configuration, methods: MethodTable(methods), observer: observer, live: LiveCount())
        self.tls = tls
        self.admit = admit
        self.group = group
        self.logger = logger
        registry = ConnectionRegistry(limit: configuration.maximumConnections)
        executors = LoopExecutors()
    }

    /// How many connections are open, those in their handshake included.
    public var connectionCount: Int { registry.count }
    /// How many connections have been admitted and are open.
    public var admittedConnectionCount: Int { registry.admittedCount }
    /// How many connections are in memory: as many as are open, or something leaks.
    @_spi(Testing) public var liveConnections: Int { shared.live.current }

    /// Starts to listen.
    /// - Returns: the address, with the port the system chose if none was given.
    /// - Throws: ``StartError``, or an error of the system, as when the port is taken.
    public func start() async throws -> SocketAddress {
        guard phase.withLock({ if case .idle = $0 { true } else { false } }) else { throw StartError.alreadyStarted }
        let configuration = shared.configuration
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(clamping: configuration.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 4_096, maximum: 65_536)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 * 1_024, high: 256 * 1_024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
            .bind(host: configuration.host, port: configuration.port).get()
        let isFirst = phase.withLock { phase in
            guard case .idle = phase else { return false }
            phase = .running(channel)
            return true
        }
        guard isFirst, let address = channel.localAddress else {
            try await channel.close()
            throw isFirst ? StartError.noAddress : StartError.alreadyStarted
        }
        return address
    }

    /// Waits until the server has been shut down.
    public func waitUntilStopped() async throws {
        guard case .running(let channel) = phase.withLock({ $0 }) else { return }
        try await channel.closeFuture.get()
        await registry.waitUntilEmpty()
    }

    /// Stops: accepts no more, tells peers to go away, lets calls finish, then closes what is left.
    /// - Parameter grace: how long calls have to finish. It returns when every connection is closed.
    public func shutdown(within grace: Duration) async {
        let running = phase.withLock { phase -> (any Channel)? in
            defer { phase = .stopped }
            guard case .running(let channel) = phase else { return nil }
            return channel
        }
        registry.drain(within: grace)
        if let running {
            do {
                try await running.close()
            } catch {
                logger.warning("The listening socket did not close cleanly.", metadata: ["error": "\(error)"])
            }
        }
        // Connections close themselves when their grace ends; this is for one stuck before its admission.
        let limit = group.any().scheduleTask(in: TimeAmount(grace) + .seconds(1)) { self.registry.closeAll() }
        await registry.waitUntilEmpty()
        limit.cancel()
    }

    /// Closes connections at once, as when their certificate is revoked. Their calls are cancelled.
    ///
    /// Put the new rules in force first: a connection being admitted meanwhile is not seen here.
    /// - Returns: how many were closed.
    @discardableResult
    public func closeConnections(where isMatch: (RPCConnection) -> Bool) -> Int {
        registry.close(where: isMatch)
    }

    // MARK: - Accepting

    private func accept(_ channel: any Channel) throws {
        let id: UInt64
        switch registry.enter(channel) {
        case .failure(let refusal):
            refused(refusal.reason, "\(registry.count) connections are open.", channel)
            channel.close(promise: nil)
            return
        case .success(let number): id = number
        }
        channel.closeFuture.whenComplete { _ in self.registry.leave(id) }
        let executor = executors.executor(for: channel.eventLoop)
        let gate = HandshakeGate(
            id: id, executor: executor,
            actions: HandshakeGate.Actions(
                timeout: shared.configuration.handshakeTimeout, admit: admit,
                refused: { self.refused($0, $1, channel) },
                open: { try self.open($0, executor: executor) }))
        do {
            try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: tls()), gate)
        } catch {
            refused(.handshakeFailed, "There is no TLS context: \(error)", channel)
            throw error
        }
    }

    private func open(_ peer: RPCConnection, executor: LoopExecutor) throws -> HTTP2Handler? {
        let connection = try HTTP2Connection(peer: peer, executor: executor, shared: shared)
        let observer = shared.observer
        let handler = HTTP2Handler(connection: connection, jitter: .random(in: 0.9...1.1)) {
            observer?.connectionClosed(peer)
        }
        guard registry.admit(peer.id, handler: handler) else { return nil }
        observer?.connectionOpened(peer)
        return handler
    }

    private func refused(_ reason: RPCRefusal, _ detail: String, _ channel: any Channel) {
        // Shutting down closes the connections still in their handshake, which they cannot tell from a peer that left.
        let isOurs = reason == .closedInHandshake && phase.withLock { if case .stopped = $0 { true } else { false } }
        let reason = isOurs ? .shuttingDown : reason
        let detail = isOurs ? "The server is shutting down." : String(detail.prefix(Self.maximumDetail))
        shared.observer?.connectionRefused(reason, address: channel.remoteAddress?.ipAddress, detail: detail)
        logger.debug(
            "A connection was refused.",
            metadata: [
                "reason": "\(reason.rawValue)", "detail": "\(detail)",
                "peer": "\(channel.remoteAddress?.description ?? "unknown")",
            ])
    }
}

/// One executor for each event loop in use.
private final class LoopExecutors: Sendable {
    private let executors = Mutex<[ObjectIdentifier: LoopExecutor]>([:])

    func executor(for loop: any EventLoop) -> LoopExecutor {
        executors.withLock { executors in
            let id = ObjectIdentifier(loop)
            if let executor = executors[id] { return executor }
            let executor = LoopExecutor(loop: loop)
            executors[id] = executor
            return executor
        }
    }
}
