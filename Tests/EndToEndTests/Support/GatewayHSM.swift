// Gateways with keys in an HSM.

import Foundation
import SoftTokens
import TestPrograms

extension SoftToken {
    /// The id of a key-encryption key on it.
    func id(_ object: String) -> String { "pkcs11:token=prod;object=\(object)" }

    /// Makes a key pair with the tool that operators have.
    func makePair(_ object: String, type: String) async throws {
        try await mustRun(
            "pkcs11-tool",
            [
                "--module", faults.library, "--token-label", "prod", "--login", "--pin", Self.pin, "--keypairgen",
                "--key-type", type, "--label", object, "--id", "11", "--usage-sign",
            ])
    }
}

extension GatewayUnderTest {
    /// Makes the keys that the configuration names.
    @discardableResult
    func makeKeys(
        _ arguments: [String] = [], overrides: [String] = [], environment: [String: String] = [:]
    ) async throws -> Finished {
        try await run(
            try Places.postern(),
            ["keys", "init", "--config", file("postern.yaml")] + overrides.flatMap { ["--set", $0] } + arguments,
            environment: environment.merging(["ADMIN_KEY": adminKey]) { $1 }, in: directory)
    }

    /// Runs `postern keys` as an administrator.
    func keys(_ arguments: [String]) async throws -> Finished {
        try await run(
            try Places.postern(), ["keys"] + arguments,
            environment: [
                "POSTERN_CLIENT_ADMIN_ADDRESS": adminAddress, "POSTERN_CLIENT_CA": pki.file("ca.pem"),
                "ADMIN_KEY": adminKey,
            ], in: directory)
    }

    /// Has the gateway use other key-encryption keys from its next start on.
    /// - Parameter keys: each as `origin: value`.
    func configure(keys: [String]) throws {
        let yaml = try String(contentsOfFile: file("postern.yaml"), encoding: .utf8)
        let start = try Self.required(yaml.range(of: "envelope:\n"))
        let end = try Self.required(yaml.range(of: "policy:\n"))
        let section = "envelope:\n  keys:\n" + keys.map { "    - \($0)\n" }.joined()
        try write(yaml.replacingCharacters(in: start.lowerBound..<end.lowerBound, with: section), to: "postern.yaml")
    }

    /// Stops it and starts it again.
    func restart() async throws {
        _ = try await end(by: SIGTERM)
        try await start()
    }

    /// The value of a metric.
    func metric(_ name: String) async throws -> Double? {
        try await admin("GET", "/metrics").text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
    }

    private static func required<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw HarnessError(description: "The configuration has another form.") }
        return value
    }
}
