// The store that secrets are moving to, beside the one that they come from.

import Foundation
import Logging
import Migration
import NIOCore
import PosternConfiguration
import PosternCore
import PosternProtocol

extension GatewayConfiguration {
    /// Loads the configuration of the store that secrets are moving to. The environment of the source is not for it: its own
    /// variables start with ``targetEnvironmentPrefix``.
    static func target(_ file: String, environment: [String: String]) throws -> GatewayConfiguration {
        var own: [String: String] = [:]
        for (name, value) in environment where name.hasPrefix(targetEnvironmentPrefix) {
            own[String(name.dropFirst(targetEnvironmentPrefix.count))] = value
        }
        return try store(file, environment: own)
    }

    /// Loads a configuration for its store and keys alone, so that nobody has to know an admin key.
    static func store(_ file: String, environment: [String: String]) throws -> GatewayConfiguration {
        var environment = environment
        if environment["ADMIN_KEY"] == nil { environment["ADMIN_KEY"] = "nobody uses it" }
        return try ServeCommand.load(file: file, environment: environment, overrides: [])
    }

    /// Makes sure that the configuration of the store that secrets are moving to can be used, where there is one.
    /// - Throws: the exit code for a wrong configuration, with its problems printed.
    func checkMigrationTarget() throws {
        guard let migrationTarget else { return }
        let target = try Self.target(migrationTarget, environment: ProcessInfo.processInfo.environment)
        do {
            try refuseSameStore(as: target)
        } catch {
            complain(error.message)
            throw configurationExitCode
        }
    }

    /// The store as people know it, and as tells it from others.
    var storeName: String {
        let store =
            switch backend.kind {
            case .sqlite:
                "sqlite:" + URL(fileURLWithPath: backend.sqlitePath).resolvingSymlinksInPath().standardizedFileURL.path
            case .vault:
                "vault:" + backend.vault.addresses.sorted().joined(separator: ",")
                    + (backend.vault.namespace.map { " namespace \($0)" } ?? "") + " mount \(backend.vault.mount)"
            }
        return store + (envelope.enabled ? " (encrypted)" : "")
    }

    /// Refuses to move secrets to where they are.
    func refuseSameStore(as target: GatewayConfiguration) throws(SecretError) {
        func bare(_ configuration: GatewayConfiguration) -> String {
            configuration.storeName.replacing(" (encrypted)", with: "")
        }
        guard bare(self) != bare(target) else {
            throw SecretError(
                .invalidArgument,
                "Source and target are the same store, \(bare(self)). To change its keys, use `postern keys rewrap` and "
                    + "`postern keys reencrypt`.")
        }
    }
}

extension Storage {
    /// What a migration copies from and to.
    var transferring: any HistoryTransferring { envelope ?? store.backend }
    /// The records of a migration in this store.
    var migrationRecords: MigrationRecords { MigrationRecords(store: store.backend) }
}

/// Both stores of a migration as one.
struct MigratingStorage {
    /// What the gateway reads and writes.
    let backend: MigratingBackend
    private let target: Storage

    /// How long the store has at start to say whether it is part of a migration.
    private static let patience: Duration = .seconds(5)

    /// Opens the target, if one is configured; if none is, makes sure that none is needed.
    init?(
        _ configuration: GatewayConfiguration, from source: Storage, tokens: Tokens, group: any EventLoopGroup,
        clock: any WallClock,
        logger: Logger
    ) async throws {
        guard let file = configuration.migrationTarget else {
            try await Self.refuseHalfMigrated(source, logger: logger)
            return nil
        }
        let target = try GatewayConfiguration.target(file, environment: ProcessInfo.processInfo.environment)
        try configuration.refuseSameStore(as: target)
        self.target = try await Storage(target, tokens: tokens, group: group, clock: clock, logger: logger)
        backend = MigratingBackend(
            source: source.transferring, target: self.target.transferring, sourceRecords: source.migrationRecords,
            targetRecords: self.target.migrationRecords, sourceName: configuration.storeName, clock: clock)
    }

    /// A gateway that knows only the source would write past the migration, or to a store that decides no more.
    private static func refuseHalfMigrated(_ source: Storage, logger: Logger) async throws(SecretError) {
        let record: MigrationRecord?
        do throws(SecretError) {
            record = try await source.migrationRecords.read(deadline: .after(patience))
        } catch {
            logger.warning(
                "it is not known whether the store is part of a migration", metadata: ["error": "\(error)"])
            return
        }
        guard let record, record.role == .source, record.phase != .aborted else { return }
        throw SecretError(
            .invalidArgument,
            record.phase == .cutOver
                ? "Secrets have moved from this store to \(record.target); use the configuration of that one."
                : "Secrets are moving from this store to \(record.target): set migration.to to its configuration, or give the "
                    + "migration up with `postern migrate --abort`.")
    }

    /// The phase for metrics.
    var gauges: [Gauge] {
        [
            Gauge(
                "postern_migration_phase", "The phase of the migration that this gateway takes part in.", 1,
                labels: ["phase": backend.lastPhase])
        ] + target.gauges
    }

    func close(logger: Logger) async { await target.close(logger: logger) }
}

/// Keys stay as they are while secrets move: work on them would change secrets without the target's knowledge.
extension MigratingStorage: KeyManagement {
    private static let refusal = SecretError(
        .backendUnavailable,
        "Keys cannot be managed while secrets move to another store (migration.to); finish the migration first.")

    func register(deadline: Deadline) async throws(SecretError) -> KeyRegister { throw Self.refusal }

    func verify(domain: String?, deadline: Deadline) async throws(SecretError) -> KeyVerification {
        throw Self.refusal
    }

    func rotate(
        _ domain: String, dryRun: Bool, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain { throw Self.refusal }

    func start(
        _ order: KeyJobOrder, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyJob { throw Self.refusal }

    func jobs(deadline: Deadline) async throws(SecretError) -> [KeyJob] { throw Self.refusal }

    func retire(
        _ domain: String, version: Int, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain { throw Self.refusal }

    func requestDestruction(
        of domain: String, confirmation: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain { throw Self.refusal }

    func approveDestruction(
        of domain: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain { throw Self.refusal }
}
