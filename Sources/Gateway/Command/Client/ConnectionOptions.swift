// Which gateway a command talks to, and as whom.

import ArgumentParser
import Foundation
import PosternClient
import PosternProtocol
import PosternWire

/// Where the gateway is and which client certificate to show it.
struct ConnectionOptions: ParsableArguments {
    @Option(name: .long, help: "The gateway's gRPC address, host:port (env POSTERN_CLIENT_ADDRESS).")
    var address: String?

    @Option(name: .long, help: "The name in the gateway's certificate, if not the host.")
    var serverName: String?

    @Option(name: .long, help: "PEM file of the client certificate (env POSTERN_CLIENT_CERTIFICATE).")
    var cert: String?

    @Option(name: .long, help: "PEM file of its private key (env POSTERN_CLIENT_KEY).")
    var key: String?

    @Option(name: .long, help: "PEM file of the authorities to trust (env POSTERN_CLIENT_CA).")
    var ca: String?

    @Option(
        name: .long, help: "Act as this client of a development gateway, with its certificate under --dev-directory.")
    var `as`: String?

    @Option(name: .long, help: "The folder of the development gateway.")
    var devDirectory = ".postern"

    @Option(
        name: .long,
        help: "File of a Vault token to pass through, so that Vault's own policies decide too. Never sent unasked.")
    var vaultTokenFile: String?

    @Option(name: .long, help: "How long a call may take, in seconds.")
    var timeout: Double = 10

    @Option(name: .long, help: "Why you do this; recorded in the audit log.")
    var reason = ""

    @Option(name: .long, help: "A ticket or change number; recorded in the audit log.")
    var ticket = ""

    func validate() throws {
        guard timeout > 0, timeout <= 3_600 else {
            throw ValidationError("--timeout must be above 0 and at most 3600.")
        }
    }

    /// Why the call is made.
    var purpose: Postern_V1_Purpose {
        var purpose = Postern_V1_Purpose()
        purpose.reason = reason
        purpose.ticket = ticket
        return purpose
    }

    /// Connects and lends a client.
    func withClient<Value: Sendable>(_ body: (PosternClient) async throws -> Value) async throws -> Value {
        try await reporting {
            try await PosternClient.withConnection(
                to: try endpoint(environment: ProcessInfo.processInfo.environment), timeout: .seconds(timeout),
                vaultToken: try vaultToken(), body)
        }
    }

    /// The token to pass through. Only one that is asked for: the VAULT_TOKEN of somebody's shell is none of the
    /// gateway's business.
    private func vaultToken() throws(SecretError) -> SecretBytes? {
        guard let vaultTokenFile else { return nil }
        var token: Data
        do {
            // A pipe will do: then the token is in no file at all.
            let file = try FileHandle(forReadingFrom: URL(filePath: vaultTokenFile))
            token = try file.readToEnd() ?? Data()
        } catch {
            throw SecretError(.invalidArgument, "The file \(vaultTokenFile) cannot be read.")
        }
        while token.last == UInt8(ascii: "\n") || token.last == UInt8(ascii: "\r") { token.removeLast() }
        return SecretBytes(copying: token)
    }

    private func endpoint(environment: [String: String]) throws(SecretError) -> Endpoint {
        var development: DevelopmentFiles?
        if `as` != nil { development = DevelopmentFiles(directory: devDirectory) }
        func value(
            _ option: String?, _ variable: String, _ flag: String, _ fallback: (DevelopmentFiles) -> String
        ) throws(SecretError) -> String {
            if let option { return option }
            if let value = environment[variable], development == nil { return value }
            if let development { return fallback(development) }
            throw SecretError(
                .invalidArgument, "Give \(flag) or set \(variable), or use --as NAME with a development gateway.")
        }
        let name = `as` ?? ""
        let certificate = try value(cert, "POSTERN_CLIENT_CERTIFICATE", "--cert") { $0.certificate(of: name) }
        let key = try value(key, "POSTERN_CLIENT_KEY", "--key") { $0.key(of: name) }
        let authorities = try value(ca, "POSTERN_CLIENT_CA", "--ca") { $0.authority }
        for file in [certificate, key, authorities] where !FileManager.default.isReadableFile(atPath: file) {
            throw SecretError(.invalidArgument, "There is no readable file \(file).")
        }
        return try Endpoint(
            address: try value(address, "POSTERN_CLIENT_ADDRESS", "--address") { $0.grpcAddress },
            serverName: serverName, certificateFile: certificate, keyFile: key, authoritiesFile: authorities)
    }
}
