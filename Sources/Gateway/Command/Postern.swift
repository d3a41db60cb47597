// `postern`: the command, its subcommands, and (under Server/) the one place where everything is put together.

import ArgumentParser

/// The command.
@main
struct Postern: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postern",
        abstract:
            "A secrets gateway: services fetch credentials over gRPC with mutual TLS, and every read is on record.",
        discussion: """
            Start a development gateway with `postern dev`; it prints what to try next.

            Exit codes: 0 done · 1 internal error · 2 invalid argument · 3 not found, deleted or destroyed · \
            4 permission denied · 5 unauthenticated · 6 conflict · 7 unavailable, try again later · \
            8 integrity failure · 64 wrong usage · 78 wrong configuration.
            """,
        version: BuildVersion.text,
        groupedSubcommands: [
            CommandGroup(name: "Gateway", subcommands: [DevCommand.self, ServeCommand.self, ConfigCommand.self]),
            CommandGroup(
                name: "Secrets",
                subcommands: [
                    GetCommand.self, PutCommand.self, ListCommand.self, DescribeCommand.self, DeleteCommand.self,
                    UndeleteCommand.self, DestroyCommand.self, RemoveCommand.self,
                ]),
            CommandGroup(
                name: "Operating",
                subcommands: [
                    HealthCommand.self, KeysCommand.self, MigrateCommand.self, ImportCommand.self, PolicyCommand.self,
                    AuditCommand.self, PKICommand.self,
                ]),
            CommandGroup(name: "About", subcommands: [VersionCommand.self]),
        ])
}

/// Which build this is.
enum BuildVersion {
    /// Semantic version.
    static let text = "0.1.0"
}

/// `postern version`.
struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.print(VersionReport(name: "postern", version: BuildVersion.text)) { report in
            "\(report.name) \(report.version)"
        }
    }

    private struct VersionReport: Encodable {
        let name: String
        let version: String
    }
}
