// The admin API as a service: Hummingbird behind TLS, with everything above put together.

import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import NIOSSL
public import PosternCore
public import PosternProtocol
public import ServiceLifecycle

/// The HTTPS admin API.
public struct AdminServer: Service {
    /// Where a server listens.
    public struct Address: Sendable, Equatable {
        /// The IP address.
        public let host: String
        /// The port.
        public let port: Int
    }

    /// How much longer than a request's timeout an exchange may take: for the answer to be taken.
    private static let grace: Duration = .seconds(10)

    let application: Application<RouterResponder<AdminContext>>

    /// Makes a server.
    /// - Parameters:
    ///   - configuration: how it listens and what it allows.
    ///   - gateway: the pipeline that every request goes through.
    ///   - readiness: the gateway's health.
    ///   - auditDirectory: where the audit log is, for its tail.
    ///   - requestIDs: makes the ids of requests.
    ///   - clock: tells the minutes in which failed authentications are counted.
    ///   - gauges: what else the metrics show.
    ///   - tls: gives the TLS context of each new connection.
    ///   - logger: for the access log and for what operators should know; never secrets.
    ///   - onListening: called once, with the address, when connections are accepted.
    /// - Throws: `invalid_argument` for a configuration that cannot work.
    public init(
        configuration: AdminConfiguration, gateway: Gateway, readiness: Readiness, auditDirectory: String,
        requestIDs: RequestIDs, clock: any WallClock = SystemWallClock(),
        gauges: @escaping @Sendable () -> [Gauge] = { [] },
        tls: @escaping @Sendable () -> NIOSSLContext, logger: Logger,
        onListening: @escaping @Sendable (Address) async -> Void = { _ in }
    ) throws {
        try configuration.check()
        let limiter = FailureLimiter(
            limit: configuration.failuresPerMinute, maximumAddresses: configuration.maximumTrackedAddresses,
            clock: clock)
        let table = try Self.routes(
            gateway: gateway, readiness: readiness, auditDirectory: auditDirectory,
            maximumPayloadBytes: configuration.maximumPayloadBytes, gauges: { gauges() + [Self.gauge(of: limiter)] })
        let router = Self.router(
            table, configuration: configuration, requestIDs: requestIDs,
            authenticator: Authenticator(keys: configuration.keys, limiter: limiter, gateway: gateway), logger: logger)
        self.application = Application(
            router: router, server: Self.transport(configuration, tls: tls),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.maximumConnections, logger: logger)),
            onServerRunning: { channel in
                let address = channel.localAddress
                await onListening(
                    Address(host: address?.ipAddress ?? configuration.host, port: address?.port ?? configuration.port))
            }, logger: logger)
    }

    /// Serves until it is shut down gracefully: then idle connections are closed, and busy ones after their answers.
    public func run() async throws {
        try await application.run()
    }

    static func routes(
        gateway: Gateway, readiness: Readiness, auditDirectory: String, maximumPayloadBytes: Int,
        gauges: @escaping @Sendable () -> [Gauge]
    ) throws -> RouteTable {
        try RouteTable(
            routes: SecretRoutes(gateway: gateway, maximumPayloadBytes: maximumPayloadBytes).routes
                + PolicyRoutes(gateway: gateway).routes
                + AuditRoutes(gateway: gateway, directory: auditDirectory).routes
                + KeyRoutes(gateway: gateway).routes
                + HealthRoutes(gateway: gateway, readiness: readiness, gauges: gauges).routes
                + OpenAPIRoutes().routes)
    }

    static func router(
        _ table: RouteTable, configuration: AdminConfiguration, requestIDs: RequestIDs, authenticator: Authenticator,
        logger: Logger
    ) -> Router<AdminContext> {
        let router = Router(context: AdminContext.self)
        router.add(
            middleware: ExchangeMiddleware(
                requestIDs: requestIDs, requestTimeout: configuration.requestTimeout, logger: logger))
        router.add(middleware: CrossOriginMiddleware(allowedOrigins: configuration.allowedOrigins))
        router.add(middleware: UnknownRouteMiddleware(table: table))
        table.register(on: router, authenticator: authenticator, limits: configuration)
        return router
    }

    private static func transport(
        _ configuration: AdminConfiguration, tls: @escaping @Sendable () -> NIOSSLContext
    ) -> HTTPServerBuilder {
        let limit = TimeAmount(configuration.requestTimeout + grace)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ExchangeGuard(limit: limit)],
            idleTimeout: TimeAmount(configuration.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: configuration.maximumHeaderBytes,
                maxHeaderListSize: configuration.maximumHeaderBytes, maxHeaderFieldCount: 100))
        return HTTPServerBuilder { responder in
            ReloadingTLSChannel(base: HTTP1Channel(responder: responder, configuration: http), context: tls)
        }
    }

    private static func gauge(of limiter: FailureLimiter) -> Gauge {
        Gauge(
            "postern_admin_attempts_refused",
            "Admin API requests refused since start because their address had failed to authenticate too often.",
            Double(limiter.refused)
        )
    }
}
