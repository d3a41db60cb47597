// `postern health`: whether a gateway is ready, for whatever starts, watches and stops it.

import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOSSL
import PosternProtocol

/// `postern health`.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a gateway whether it is ready.",
        discussion: """
            Asks the admin API for /readyz, which needs no key. Exits with 0 if the gateway is ready, and 7 naming what \
            is not if it is not, or does not answer.
            """)

    @Option(name: .long, help: "The gateway's admin address, host:port.")
    var address = "127.0.0.1:8443"

    @Option(name: .long, help: "PEM file of the authorities to trust.")
    var ca: String

    @Option(name: .long, help: "How long the answer may take, in seconds.")
    var timeout: Double = 5

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard timeout > 0, timeout <= 3_600 else {
            throw ValidationError("--timeout must be above 0 and at most 3600.")
        }
    }

    func run() async throws {
        let health = try await reporting { try await ask() }
        try output.print(health) { health in
            columns(health.components.map { [$0.name, $0.ready ? "ready" : "not ready", $0.detail] })
        }
        if !health.ready { throw SecretError.Code.backendUnavailable.exitCode }
    }

    private func ask() async throws -> Health {
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(ca))
        } catch {
            throw SecretError(.invalidArgument, "\(ca) is not a readable PEM file of certificates.")
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(configuration: configuration)
        let answer: Result<Health, any Error>
        do {
            let request = HTTPClientRequest(url: "https://\(address)/readyz")
            let response = try await client.execute(request, timeout: .nanoseconds(Int64(timeout * 1e9)))
            let body = try await response.body.collect(upTo: 65_536)
            answer = .success(try JSONDecoder().decode(Health.self, from: Data(buffer: body)))
        } catch {
            answer = .failure(
                SecretError(.backendUnavailable, "No answer from the gateway at \(address): \(error)"))
        }
        try await client.shutdown()
        return try answer.get()
    }

    /// What /readyz answers.
    private struct Health: Codable {
        struct Component: Codable {
            let name: String
            let ready: Bool
            let detail: String
        }

        let ready: Bool
        let components: [Component]
    }
}
