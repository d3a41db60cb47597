// The composition root: the one place where a configuration becomes a gateway.

import Logging
import NIOPosix
import PosternAudit
import PosternConfiguration
import PosternCore
import PosternGRPC
import PosternGRPCTransport
import PosternHTTP
import PosternIdentity
import PosternProtocol

/// All parts of a gateway, put together but not started.
struct Assembly {
    let gateway: Gateway
    let readiness: Readiness
    let audit: AuditLog
    let storage: Storage
    let tokens: Tokens
    /// The store that secrets are moving to, if they are.
    let migration: MigratingStorage?
    let requestIDs: RequestIDs
    let tls: TLSContexts
    let frontEnd: GRPCFrontEnd
    let observer: ConnectionObserver
    let configuration: GatewayConfiguration
    let logger: Logger
    /// Says when revocation lists are overdue.
    let revocation: RevocationWatch
    /// Works on jobs on keys, checks and rotates keys on schedule; nil without encryption.
    let keyUpkeep: KeyUpkeep?
    /// Removes audit records that are too old.
    let auditUpkeep: AuditUpkeep
    /// Delivers audit records to sinks.
    let sinks: SinkService
    private let adminKeys: AdminKeys
    private let cache: ReadCache?
    private let clock: any WallClock

    /// Puts a gateway together.
    init(_ configuration: GatewayConfiguration, group: MultiThreadedEventLoopGroup, logger: Logger) async throws {
        let clock = SystemWallClock()
        var generator = SystemRandomNumberGenerator()
        self.configuration = configuration
        self.logger = logger
        self.clock = clock

        tokens = Tokens()
        // What can be wrong with files comes first, before anything is held or created.
        tls = try TLSContexts(configuration, tokens: tokens, logger: logger)
        try await tls.proveKeys()
        let revocation = try Self.revocation(for: configuration, tls: tls, now: clock.now())
        let policies = try PolicyStore(file: configuration.policyFile)
        adminKeys = try Self.adminKeys(configuration.admin)
        self.revocation = RevocationWatch(revocation, logger: logger)
        self.revocation.look(now: clock.now())

        do {
            var options = AuditLog.Options(segmentBytes: configuration.audit.segmentBytes)
            options.origin = configuration.audit.origin
            options.signingKeyFile = configuration.audit.signingKey
            options.publicationInterval = configuration.audit.checkpointInterval
            audit = try AuditLog.open(directory: configuration.audit.directory, options: options)
        } catch {
            throw SecretError(.auditUnavailable, error.message)
        }
        if audit.recoveredTornBytes > 0 {
            logger.warning(
                "the audit log ended in an unfinished write, which was cut off; nobody had been told of it",
                metadata: ["bytes": "\(audit.recoveredTornBytes)"])
        }

        storage = try await Storage(configuration, tokens: tokens, group: group, clock: clock, logger: logger)
        migration = try await MigratingStorage(
            configuration, from: storage, tokens: tokens, group: group, clock: clock, logger: logger)
        var backend = migration?.backend ?? storage.backend
        if configuration.cache.enabled {
            let cache = ReadCache(backend, options: Self.cacheOptions(configuration.cache), clock: clock)
            self.cache = cache
            backend = cache
        } else {
            cache = nil
        }

        requestIDs = RequestIDs(clock: clock, using: &generator)
        let hsmKeys = tls.hsmKeys
        let sinks = try SinkService(configuration.audit, audit: audit, group: group, clock: clock, logger: logger)
        self.sinks = sinks
        readiness = Readiness(
            backend: backend, audit: audit, details: { hsmKeys.map(\.component) + sinks.components })
        let remembered = cache
        gateway = Gateway(
            backend: backend, policies: policies, audit: audit, clock: clock, metrics: GatewayMetrics(),
            keys: migration.map { $0 as any KeyManagement } ?? storage.envelope,
            forgetDomain: { remembered?.forget(domain: $0) },
            storeCredentials: Self.storeCredentials(configuration))
        if let envelope = storage.envelope, migration == nil {
            keyUpkeep = KeyUpkeep(
                envelope: envelope, gateway: gateway, requestIDs: requestIDs, settings: configuration.envelope,
                clock: clock, logger: logger)
        } else {
            keyUpkeep = nil
        }
        auditUpkeep = AuditUpkeep(audit: audit, settings: configuration.audit, clock: clock, logger: logger)
        observer = ConnectionObserver(gateway: gateway, requestIDs: requestIDs, logger: logger)
        let contexts = tls
        frontEnd = try GRPCFrontEnd(
            options: Self.frontEndOptions(configuration), gateway: gateway, readiness: readiness,
            requestIDs: requestIDs, clock: clock, revocation: revocation, tls: { contexts.grpc.current }, group: group,
            observer: observer, logger: logger)
    }

    /// Loads the revocation lists, checked against the client authorities in force.
    static func revocation(
        for configuration: GatewayConfiguration, tls: TLSContexts, now: Timestamp
    ) throws(SecretError) -> RevocationChecker {
        guard let authorities = tls.grpc.clientAuthorities else { return RevocationChecker() }
        return try RevocationChecker(
            revocationFiles: configuration.grpc.crl, denyFile: configuration.grpc.denyList, authorities: authorities,
            allowExpired: configuration.grpc.crlAllowExpired, now: now)
    }

    /// The admin keys: `admin.key` is the one named "admin".
    static func adminKeys(_ admin: GatewayConfiguration.Admin) throws(SecretError) -> AdminKeys {
        var entries: [AdminKeys.Entry] = []
        if let key = admin.key { entries.append(try AdminKeys.Entry(name: "admin", key: key)) }
        for key in admin.keys { entries.append(try AdminKeys.Entry(name: key.name, sha256: key.hashBytes)) }
        return try AdminKeys(entries)
    }

    /// Makes the admin server.
    /// - Parameter onListening: called with the address when it accepts connections.
    func adminServer(onListening: @escaping @Sendable (AdminServer.Address) async -> Void) throws -> AdminServer {
        let admin = configuration.admin
        var options = AdminConfiguration(host: admin.listen.host, port: admin.listen.port, keys: adminKeys)
        options.allowedOrigins = Set(admin.allowedOrigins)
        options.maximumBodyBytes = admin.maxBodyBytes
        options.maximumPayloadBytes = configuration.limits.maxPayloadBytes
        options.requestTimeout = admin.requestTimeout
        options.failuresPerMinute = admin.maxFailuresPerMinute
        let (cache, observer, tls, revocation, storage, keyUpkeep, auditUpkeep, tokens, sinks) = (
            cache, observer, tls, revocation, storage, keyUpkeep, auditUpkeep, tokens, sinks
        )
        return try AdminServer(
            configuration: options, gateway: gateway, readiness: readiness,
            auditDirectory: configuration.audit.directory, requestIDs: requestIDs, clock: clock,
            gauges: {
                let usage = cache?.usage ?? (secrets: 0, bytes: 0)
                return observer.gauges + revocation.gauges + storage.gauges + (migration?.gauges ?? [])
                    + (keyUpkeep?.gauges ?? []) + auditUpkeep.gauges + tls.hsmKeys.flatMap(\.gauges)
                    + tokens.gauges + sinks.gauges + [
                        Gauge("postern_cache_secrets", "Secrets in the read cache.", Double(usage.secrets)),
                        Gauge("postern_cache_bytes", "Payload bytes in the read cache.", Double(usage.bytes)),
                        Gauge(
                            "postern_grpc_certificate_expiry_seconds",
                            "When the gRPC server certificate expires (Unix time).",
                            Double(tls.grpc.certificateNotAfter.microseconds / 1_000_000)
                        ),
                    ]
            }, tls: { tls.admin.current }, logger: logger, onListening: onListening)
    }

    /// Callers' own tokens are for a Vault.
    private static func storeCredentials(_ configuration: GatewayConfiguration) -> StoreCredentials {
        guard configuration.backend.kind == .vault else { return .refused }
        return switch configuration.backend.vault.passThrough {
        case .off: .refused
        case .optional: .optional
        case .required: .required(header: GRPCFrontEnd.storeCredentialHeader)
        }
    }

    private static func cacheOptions(_ cache: GatewayConfiguration.Cache) -> ReadCache.Options {
        var options = ReadCache.Options()
        options.maximumSecrets = cache.maxSecrets
        options.maximumBytes = cache.maxBytes
        options.timeToLive = cache.ttl
        options.refreshAhead = cache.refreshAhead
        options.maximumStaleness = cache.maxStale
        return options
    }

    private static func frontEndOptions(_ configuration: GatewayConfiguration) -> GRPCFrontEnd.Options {
        let grpc = configuration.grpc
        var options = GRPCFrontEnd.Options()
        options.transport.host = grpc.listen.host
        options.transport.port = grpc.listen.port
        options.transport.maximumMessageBytes = grpc.maxMessageBytes
        options.transport.maximumHeaderListBytes = grpc.maxHeaderBytes
        options.transport.maximumConcurrentStreams = grpc.maxStreams
        options.transport.maximumConnections = grpc.maxConnections
        options.transport.handshakeTimeout = grpc.handshakeTimeout
        options.transport.idleTimeout = grpc.idleTimeout
        options.transport.keepaliveInterval = grpc.keepaliveInterval
        options.transport.keepaliveTimeout = grpc.keepaliveTimeout
        options.transport.maximumConnectionAge = grpc.maxConnectionAge
        options.transport.defaultDeadline = grpc.defaultDeadline
        options.transport.maximumDeadline = configuration.limits.maxDeadline
        options.defaultDeadline = grpc.defaultDeadline
        options.maximumPayloadBytes = configuration.limits.maxPayloadBytes
        options.allowCommonName = grpc.allowCommonName
        options.reflection = grpc.reflection
        return options
    }
}

extension NamedKeyHash {
    /// The hash's bytes; the configuration has checked that they are 64 hex digits.
    fileprivate var hashBytes: [UInt8] {
        let digits = Array(sha256)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
}
