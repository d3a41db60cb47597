// `postern audit rotate-key`: lets a new key sign the log's checkpoints.

import ArgumentParser
import PosternAudit
import PosternProtocol

extension AuditCommand {
    /// `postern audit rotate-key`.
    struct RotateKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-key",
            abstract: "Replace the key that signs checkpoints; the old one hands over to it, on record.",
            discussion: """
                The gateway must be stopped: this command writes to the log. Prints the new verifier key. Those who \
                trust the old one need not be told: verification follows the handover.
                """)

        @OptionGroup var log: DirectoryOptions
        @Option(name: .long, help: "The file of the signing key, if it is not in the directory.")
        var signingKey: String?

        func run() async throws {
            try await reporting {
                var options = AuditLog.Options()
                options.signingKeyFile = signingKey
                let log = try AuditLog.open(directory: log.directory, options: options)
                defer { log.close() }
                print(try await log.rotateKey(at: SystemWallClock().now(), deadline: .after(.seconds(300))))
            }
        }
    }
}
