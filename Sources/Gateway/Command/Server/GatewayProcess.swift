// The life of a gateway: start, serve, reload at SIGHUP, stop in order within a bounded time.

import Foundation
import Logging
import NIOCore
import NIOPosix
import PosternAudit
import PosternConfiguration
import PosternCore
import PosternGRPC
import PosternHTTP
import PosternProtocol
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Runs a gateway in this process.
enum GatewayProcess {
    /// Where a running gateway listens, each as `host:port`.
    struct Addresses: Sendable {
        let grpc: String
        let admin: String
    }

    /// How long stopping may take beyond the configured grace before what is left is cut off.
    private static let cancellationTime: Duration = .seconds(5)

    /// Starts a gateway and runs it until it is told to stop.
    /// - Parameter onReady: called once, when both front ends accept connections.
    static func run(
        _ configuration: GatewayConfiguration, onReady: @escaping @Sendable (Addresses) -> Void
    ) async throws {
        let logger = Logger.standardError(
            "postern", level: Logger.Level(configuration.log.level), format: configuration.log.format)
        HardenedProcess.apply(logger: logger)
        let group = MultiThreadedEventLoopGroup(
            numberOfThreads: configuration.grpc.threads ?? ProcessInfo.processInfo.activeProcessorCount)
        do {
            let assembly = try await Assembly(configuration, group: group, logger: logger)
            do {
                try await serve(assembly, onReady: onReady)
            } catch {
                await close(assembly)
                throw error
            }
            await close(assembly)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private static func serve(
        _ assembly: Assembly, onReady: @escaping @Sendable (Addresses) -> Void
    ) async throws {
        let configuration = assembly.configuration
        try await record(.start, assembly)
        // Both front ends are up when both have said where they listen.
        let addresses = Mutex<(grpc: String?, admin: String?)>((nil, nil))
        let logger = assembly.logger
        let announce: @Sendable ((inout (grpc: String?, admin: String?)) -> Void) -> Void = { change in
            let both: Addresses? = addresses.withLock { addresses in
                change(&addresses)
                guard let grpc = addresses.grpc, let admin = addresses.admin else { return nil }
                return Addresses(grpc: grpc, admin: admin)
            }
            guard let both else { return }
            logger.info("ready", metadata: ["grpc": "\(both.grpc)", "admin": "\(both.admin)"])
            onReady(both)
        }
        let admin = try assembly.adminServer { address in
            announce { $0.admin = ListenAddress(host: address.host, port: address.port).description }
        }
        let grpc = GRPCService(
            frontEnd: assembly.frontEnd, readiness: assembly.readiness, grace: configuration.shutdownGrace
        ) { address in
            announce { $0.grpc = address }
        }
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: ReloadService(assembly: assembly)), .init(service: admin), .init(service: grpc),
        ]
        services.insert(contentsOf: [.init(service: assembly.auditUpkeep), .init(service: assembly.sinks)], at: 0)
        if let upkeep = assembly.keyUpkeep { services.insert(.init(service: upkeep), at: 0) }
        var group = ServiceGroupConfiguration(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = configuration.shutdownGrace + .seconds(2)
        group.maximumCancellationDuration = cancellationTime
        try await ServiceGroup(configuration: group).run()
        try await record(.stop, assembly)
        logger.info("stopped")
    }

    private static func record(_ operation: PosternCore.Operation, _ assembly: Assembly) async throws {
        do {
            try await assembly.gateway.recordSystem(
                operation, requestID: assembly.requestIDs.next(),
                detail: [
                    "version": BuildVersion.text, "policy_sha256": assembly.gateway.policySHA256,
                    "legal_hold": String(assembly.configuration.audit.legalHold),
                ])
        } catch {
            throw error.error
        }
    }

    private static func close(_ assembly: Assembly) async {
        assembly.audit.close()
        await assembly.storage.close(logger: assembly.logger)
        await assembly.migration?.close(logger: assembly.logger)
        await assembly.tokens.close(logger: assembly.logger)
    }
}

/// The gRPC front end as a service.
struct GRPCService: Service {
    let frontEnd: GRPCFrontEnd
    let readiness: Readiness
    let grace: Duration
    let onListening: @Sendable (String) -> Void

    func run() async throws {
        let address = try await frontEnd.start()
        onListening(ListenAddress(host: address.ipAddress ?? "", port: address.port ?? 0).description)
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled instead: stop just the same.
        }
        readiness.startDraining()
        await frontEnd.shutdown(within: grace)
    }
}

extension Logger.Level {
    /// The level that the configuration names.
    init(_ level: LogLevel) {
        self = Logger.Level(rawValue: level.rawValue) ?? .info
    }
}
