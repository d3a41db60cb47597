// Which gateway's admin API a command talks to, and as whom.

import ArgumentParser
import Foundation
import PosternProtocol

/// Where the admin API is and which key to show it.
struct AdminOptions: ParsableArguments {
    @Option(name: .long, help: "The admin API's address, host:port (env POSTERN_CLIENT_ADMIN_ADDRESS).")
    var address: String?

    @Option(name: .long, help: "PEM file of the authorities to trust (env POSTERN_CLIENT_CA).")
    var ca: String?

    @Option(name: .long, help: "File with the admin key, if it is not in ADMIN_KEY.")
    var adminKeyFile: String?

    @Flag(name: .long, help: "Talk to the development gateway under --dev-directory.")
    var dev = false

    @Option(name: .long, help: "The folder of the development gateway.")
    var devDirectory = ".postern"

    @Option(name: .long, help: "How long a request may take, in seconds.")
    var timeout: Double = 30

    @Option(name: .long, help: "Why you do this; recorded in the audit log.")
    var reason = ""

    @Option(name: .long, help: "A ticket or change number; recorded in the audit log.")
    var ticket = ""

    func validate() throws {
        guard timeout > 0, timeout <= 3_600 else {
            throw ValidationError("--timeout must be above 0 and at most 3600.")
        }
    }

    /// Connects and lends a client. What goes wrong is printed and becomes the documented exit code.
    func withClient<Value: Sendable>(_ body: (AdminClient) async throws -> Value) async throws -> Value {
        try await reporting {
            let client = try client(environment: ProcessInfo.processInfo.environment)
            let result: Result<Value, any Error>
            do {
                result = .success(try await body(client))
            } catch {
                result = .failure(error)
            }
            try await client.shutdown()
            return try result.get()
        }
    }

    private func client(environment: [String: String]) throws -> AdminClient {
        let development = dev ? DevelopmentFiles(directory: devDirectory) : nil
        guard
            let address = address ?? development?.adminAddress ?? environment["POSTERN_CLIENT_ADMIN_ADDRESS"]
        else {
            throw SecretError(
                .invalidArgument,
                "Give --address or set POSTERN_CLIENT_ADMIN_ADDRESS, or use --dev with a development gateway.")
        }
        let authorities =
            ca ?? development?.authority ?? environment["POSTERN_CLIENT_CA"]
        if let authorities, !FileManager.default.isReadableFile(atPath: authorities) {
            throw SecretError(.invalidArgument, "There is no readable file \(authorities).")
        }
        return try AdminClient(
            address: address, authoritiesFile: authorities, key: try key(environment, development),
            timeout: .seconds(timeout), reason: reason, ticket: ticket)
    }

    private func key(_ environment: [String: String], _ development: DevelopmentFiles?) throws -> SecretBytes {
        let file = adminKeyFile ?? (environment["ADMIN_KEY"] == nil ? development?.adminKey : nil)
        if let file {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                // The reason would be the system's; what to do is the same for all of them.
                throw SecretError(.invalidArgument, "The admin key file \(file) cannot be read.")
            }
            return SecretBytes(text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard let key = environment["ADMIN_KEY"], !key.isEmpty else {
            throw SecretError(.invalidArgument, "Set ADMIN_KEY in the environment, or give --admin-key-file.")
        }
        return SecretBytes(key)
    }
}
