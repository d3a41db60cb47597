// `postern migrate`: moves secrets with their whole history from one store to another.

import ArgumentParser
import Foundation
import Logging
import Migration
import NIOCore
import NIOPosix
import PosternConfiguration
import PosternProtocol

/// `postern migrate`.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Move secrets with every version, label and date to another store.",
        discussion: """
            Both sides are configurations of gateways: a store with its keys. It copies, then compares everything value by \
            value, and reports. Run it again after any interruption: it goes on. Gateways that have migration.to serve \
            meanwhile, and with --cut-over the target decides in the end. The environment is --from's; variables of --to \
            start with POSTERN_TO_. Exits with 0 if everything arrived, and with 8 if something differs. See \
            docs/migration.md.
            """)

    @Option(name: .long, help: "The configuration of the store that secrets come from.")
    var from: String

    @Option(name: .long, help: "The configuration of the store that they go to.")
    var to: String

    @Option(name: .long, help: "The folder of this command's own audit log; made if it is not there.")
    var auditLog: String?

    @Flag(name: .long, help: "Only say what would be copied; no value is read, no secret is changed.")
    var dryRun = false

    @Flag(name: .long, help: "Let the target decide in the end, if nothing differs.")
    var cutOver = false

    @Flag(name: .long, help: "Give the migration up: the source decides alone.")
    var abort = false

    @Flag(name: .long, help: "Replace and remove secrets that the target has already.")
    var overwrite = false

    @Flag(name: .long, help: "Make copies anew that turn out to differ in value.")
    var repair = false

    @Option(name: .long, help: "How many secrets a second at most; 0 for as many as can be.")
    var rate = 0

    @Option(name: .long, help: "How many secrets at a time.")
    var concurrency = 8

    @Option(name: .long, help: "A file for the report, as JSON.")
    var report: String?

    @Option(name: .long, help: "Why you do this; recorded in the audit log.")
    var reason = ""

    @Option(name: .long, help: "A ticket or change number; recorded in the audit log.")
    var ticket = ""

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...1_000_000).contains(rate) else { throw ValidationError("--rate must be 0 to 1000000.") }
        guard (1...64).contains(concurrency) else { throw ValidationError("--concurrency must be 1 to 64.") }
        guard [dryRun, cutOver, abort].count(where: { $0 }) <= 1 else {
            throw ValidationError("Give one of --dry-run, --cut-over and --abort.")
        }
        guard dryRun || auditLog != nil else {
            throw ValidationError("Give --audit-log: what cannot be recorded is not done.")
        }
    }

    func run() async throws {
        HardenedProcess.restartWithSafeBacktraces()
        try await reporting {
            let environment = ProcessInfo.processInfo.environment
            let source = try GatewayConfiguration.store(from, environment: environment)
            let target = try GatewayConfiguration.target(to, environment: environment)
            try source.refuseSameStore(as: target)
            let logger = Logger.standardError("postern-migrate", level: .error, format: source.log.format)
            HardenedProcess.apply(logger: logger)
            let journal = try MigrationAudit(directory: dryRun ? nil : auditLog, reason: reason, ticket: ticket)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
            let tokens = Tokens()
            let result: Result<Void, any Error>
            do {
                result = .success(try await move(source, target, journal, tokens: tokens, group: group, logger: logger))
            } catch {
                result = .failure(error)
            }
            journal.close()
            await tokens.close(logger: logger)
            try await group.shutdownGracefully()
            try result.get()
        }
    }

    private func move(
        _ source: GatewayConfiguration, _ target: GatewayConfiguration, _ journal: MigrationAudit,
        tokens: Tokens, group: MultiThreadedEventLoopGroup, logger: Logger
    ) async throws {
        let clock = SystemWallClock()
        let first = try await Storage(source, tokens: tokens, group: group, clock: clock, logger: logger)
        let result: Result<Void, any Error>
        do {
            let second = try await Storage(target, tokens: tokens, group: group, clock: clock, logger: logger)
            do {
                // Whoever has the only file has no gateways beside it.
                let isExclusive = source.backend.kind == .sqlite || target.backend.kind == .sqlite
                let run = MigrationRun(
                    source: first.transferring, target: second.transferring, sourceRecords: first.migrationRecords,
                    targetRecords: second.migrationRecords, names: (source.storeName, target.storeName),
                    journal: journal,
                    options: MigrationRun.Options(
                        rate: rate, concurrency: concurrency, overwrites: overwrite, repairs: repair,
                        isExclusive: isExclusive), clock: clock)
                result = .success(try await act(run, journal))
            } catch {
                result = .failure(error)
            }
            await second.close(logger: logger)
        } catch {
            await first.close(logger: logger)
            throw error
        }
        await first.close(logger: logger)
        try result.get()
    }

    private func act(_ run: MigrationRun, _ journal: MigrationAudit) async throws {
        guard !abort else {
            print(
                try await run.abort()
                    ? "the migration is given up; the source decides" : "there is no migration under way")
            return
        }
        let report = try await dryRun ? run.dryRun() : run.run(cutsOver: cutOver)
        journal.endBar()
        if let file = self.report { try report.json.write(to: URL(fileURLWithPath: file), options: .atomic) }
        try output.print(report) { $0.text(dryRun: dryRun) }
        guard dryRun || report.isGood else { throw SecretError.Code.integrityFailure.exitCode }
    }
}

extension MigrationReport {
    /// The report as JSON, for a file.
    fileprivate var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return try encoder.encode(self)
        }
    }

    /// The report for people.
    fileprivate func text(dryRun: Bool) -> String {
        let verb = dryRun ? "to copy" : "copied"
        var lines = [
            "from \(source)", "to   \(target)",
            "\(verb): \(copiedSecrets) secrets, \(copiedVersions) versions; \(dryRun ? "to remove" : "removed"): "
                + "\(removedSecrets)",
        ]
        if !dryRun {
            lines.append("compared: \(comparedSecrets) secrets, \(comparedVersions) versions, value by value")
            if comparedSecrets > 0 {
                lines.append("digest of the source: \(sourceDigest)")
                lines.append("digest of the target: \(targetDigest)")
            }
            if failedSecrets > 0 { lines.append("could not be copied: \(failedSecrets)") }
            lines.append(
                isGood ? "every version arrived, bit for bit" : "NOT the same: \(differingSecrets) secrets")
            if let phase { lines.append("phase: \(phase.rawValue)") }
        }
        lines += differences.map { "differs: \($0.path): \($0.what.joined(separator: "; "))" }
        lines += problems.map { "problem: \($0)" }
        return lines.joined(separator: "\n")
    }
}
