// `postern dev`: a whole gateway on this machine, from nothing, and what to try with it.

import ArgumentParser
import Foundation
import PosternConfiguration
import PosternProtocol

/// `postern dev`.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Start a development gateway, making what it needs.",
        discussion: """
            Keeps everything under one folder: a SQLite store under envelope encryption, a certificate authority, \
            certificates, an admin key, a sample policy, the audit log. Delete the folder to start afresh.
            """)

    @Option(name: .long, help: "The folder.")
    var directory = ".postern"

    @Option(name: .long, help: "A configuration value over the file's, KEY=VALUE; repeat for several.")
    var set: [String] = []

    func run() async throws {
        HardenedProcess.restartWithSafeBacktraces()
        try await reporting {
            let files = DevelopmentFiles(directory: directory)
            try files.prepare()
            var environment = ProcessInfo.processInfo.environment
            if environment["ADMIN_KEY"] == nil { environment["ADMIN_KEY"] = try files.readAdminKey() }
            let configuration = try ServeCommand.load(
                file: files.configuration, environment: environment, overrides: set, isDevelopment: true)
            try await GatewayProcess.run(configuration) { addresses in
                print(welcome(files, addresses))
                // Standard output may be a pipe that somebody waits on.
                fflush(nil)
            }
        }
    }

    private func welcome(_ files: DevelopmentFiles, _ addresses: GatewayProcess.Addresses) -> String {
        let postern = CommandLine.arguments.first ?? "postern"
        let folder = directory == ".postern" ? "" : " --dev-directory \(directory)"
        let address = addresses.grpc == files.grpcAddress ? "" : " --address \(addresses.grpc)"
        return """

            Postern is ready: gRPC on \(addresses.grpc), admin API on https://\(addresses.admin).
            Try it in another terminal:

              # store a secret with the admin API
              curl -sS --cacert \(files.authority) -H @\(files.adminHeader) -H 'content-type: application/json' \\
                -d '{"name":"llm/openai/api_key","value":"sk-example-1234"}' https://\(addresses.admin)/admin/api/secrets

              # read it over gRPC as the service "gateway"
              \(postern) get llm/openai/api_key --as gateway\(address)\(folder)

              # read it with a stock gRPC client
              .venv/bin/python examples/get_secret.py llm/openai/api_key --as gateway --address \(addresses.grpc) --dev-directory \(directory)

              # be refused as the service "billing"
              \(postern) get llm/openai/api_key --as billing\(address)\(folder)

              # see all of it in the audit log
              \(postern) audit tail --directory \(files.audit)

            """
    }
}
