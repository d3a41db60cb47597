// `postern serve`: the gateway as a service; `postern config check`: whether it would start.

import ArgumentParser
import Foundation
import Logging
import PosternConfiguration
import PosternCore
import PosternProtocol

/// `postern serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the gateway.",
        discussion: """
            SIGTERM and SIGINT stop it after its calls have ended; SIGHUP reloads policy, certificates and \
            revocation lists. Every key of the configuration is explained in config/reference.yaml.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        HardenedProcess.restartWithSafeBacktraces()
        try await reporting {
            try await GatewayProcess.run(try options.load()) { addresses in
                print("ready grpc=\(addresses.grpc) admin=\(addresses.admin)")
                fflush(nil)
            }
        }
    }

    /// Loads a configuration; problems are printed one a line, and are the exit code for a wrong configuration.
    static func load(
        file: String?, environment: [String: String], overrides: [String], isDevelopment: Bool = false
    ) throws -> GatewayConfiguration {
        do {
            return try GatewayConfiguration.load(
                file: file, environment: environment, overrides: overrides, isDevelopment: isDevelopment)
        } catch {
            complain("the configuration cannot be used:\n\(error)")
            throw configurationExitCode
        }
    }
}

/// Where the configuration comes from.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file (env POSTERN_CONFIG).")
    var config: String?

    @Option(name: .long, help: "A value over the file's and the environment's, KEY=VALUE; repeat for several.")
    var set: [String] = []

    func load() throws -> GatewayConfiguration {
        let environment = ProcessInfo.processInfo.environment
        return try ServeCommand.load(
            file: config ?? environment["POSTERN_CONFIG"], environment: environment, overrides: set)
    }
}

/// `postern config`.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check a configuration.", subcommands: [Check.self])

    /// `postern config check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a configuration and the policy it names, without starting anything.",
            discussion: "Exits with 0 if the gateway could start with it, and 78 naming what is wrong if not.")

        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await reporting {
                let configuration = try options.load()
                do throws(SecretError) {
                    _ = try PolicyStore(file: configuration.policyFile)
                    let tokens = Tokens()
                    let tls = try TLSContexts(
                        configuration, tokens: tokens, logger: .standardError("postern", level: .error, format: .text))
                    _ = try Assembly.revocation(for: configuration, tls: tls, now: SystemWallClock().now())
                    _ = try Assembly.adminKeys(configuration.admin)
                    for key in configuration.envelope.keys where key.origin == .pkcs11 {
                        _ = try tokens.wrapper(key.value)
                    }
                } catch {
                    complain(error.message)
                    throw configurationExitCode
                }
                try configuration.checkMigrationTarget()
                print("the configuration is good")
            }
        }
    }
}
