// The gRPC front end: the transport, the services, and who may connect.

public import Logging
public import NIOCore
public import NIOSSL
public import PosternCore
public import PosternGRPCTransport
public import PosternIdentity
public import PosternProtocol

/// Serves the gateway over gRPC with mutual TLS.
public final class GRPCFrontEnd: Sendable {
    /// How the front end behaves.
    public struct Options: Sendable {
        /// The transport's limits and times.
        public var transport = GRPCServer.Configuration()
        /// The largest payload that can be written, in bytes.
        public var maximumPayloadBytes = Payload.defaultMaximumBytes
        /// Whether a certificate's common name may name its holder.
        public var allowCommonName = false
        /// Whether generic clients may ask for the wire contract.
        public var reflection = true
        /// How long a call without a deadline of its own may ask a backend for.
        public var defaultDeadline: Duration = .seconds(30)
        /// How often a health watch looks for a change.
        public var healthInterval: Duration = .milliseconds(500)

        /// The defaults.
        public init() {}
    }

    /// The header in which callers send a token of the store's own, if the gateway passes it through.
    public static let storeCredentialHeader = StoreCredentialHeader.name

    private let server: GRPCServer
    private let revocation: RevocationStore
    private let logger: Logger

    /// Makes a front end.
    /// - Parameters:
    ///   - options: how it behaves.
    ///   - gateway: the pipeline.
    ///   - readiness: what health says.
    ///   - requestIDs: makes request ids.
    ///   - clock: tells whether certificates have expired.
    ///   - revocation: which certificates are revoked.
    ///   - tls: the TLS context for the next connection.
    ///   - group: the event loops to run on.
    ///   - observer: hears of connections and calls.
    ///   - logger: for what operators should know.
    public init(
        options: Options, gateway: Gateway, readiness: Readiness, requestIDs: RequestIDs, clock: any WallClock,
        revocation: RevocationChecker, tls: @escaping @Sendable () -> NIOSSLContext, group: any EventLoopGroup,
        observer: any RPCObserver, logger: Logger
    ) throws {
        let calls = CallAdapter(
            requestIDs: requestIDs, clock: clock, defaultDeadline: options.defaultDeadline, logger: logger)
        var methods = SecretMethods(
            gateway: gateway, calls: calls, maximumPayloadBytes: options.maximumPayloadBytes
        ).methods
        let health = HealthMethods(
            readiness: readiness, services: ["postern.v1.SecretService", "grpc.health.v1.Health"],
            interval: options.healthInterval)
        methods.merge(health.methods) { mine, _ in mine }
        if options.reflection { methods.merge(try ReflectionMethods().methods) { mine, _ in mine } }

        let store = RevocationStore(revocation)
        self.revocation = store
        self.logger = logger
        self.server = GRPCServer(
            configuration: options.transport, methods: methods, tls: tls,
            admit: { peer in
                .accept(
                    attachment: PeerSession(peer, revocation: store, allowCommonName: options.allowCommonName))
            }, group: group, logger: logger, observer: observer)
    }

    /// Starts to listen.
    /// - Returns: the address that was bound.
    public func start() async throws -> SocketAddress {
        try await server.start()
    }

    /// Stops: no new connections or calls, the present ones may finish.
    /// - Parameter grace: how long they may take.
    public func shutdown(within grace: Duration) async {
        await server.shutdown(within: grace)
    }

    /// Closes every connection: what its peer was trusted for no longer holds.
    public func closeAllConnections() {
        server.closeConnections { _ in true }
    }

    /// Puts new revocation lists in force, for live connections too.
    public func replaceRevocation(_ checker: RevocationChecker) {
        revocation.replace(checker)
        server.closeConnections { connection in
            guard let session = connection.attachment as? PeerSession, let certificate = session.certificate else {
                return false
            }
            return checker.check(certificate) != nil
        }
    }
}
