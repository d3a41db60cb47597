// A server with the configuration that the compose stack uses, on ports and in folders of a test's own.

import Foundation
import PosternPKI
import Synchronization
import TestPrograms
import VaultServers

/// A Vault or OpenBao server as it comes: TLS, durable storage, nothing in it.
final class StackServer: Sendable {
    /// Everything of this server: its configuration, data, certificates and log, and what tests put there.
    let folder: URL
    /// As VAULT_ADDR has it.
    let address: String
    private let process = Mutex<VaultProcess?>(nil)

    /// Prepares a server without starting it.
    /// - Parameter further: lines to add to its configuration.
    init(further: String = "") throws {
        folder = try makeTemporaryDirectory("stack")
        let (port, clusterPort) = (try freePort(), try freePort())
        address = "https://127.0.0.1:\(port)"
        let authority = try CertificateAuthority.create(commonName: "Deployment CA")
        for name in ["data", "tls"] {
            try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        try authority.identity().write(certificateFile: authorityFile, keyFile: file("ca.key"))
        try authority.issueServer(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
            .write(certificateFile: file("tls/vault.pem"), keyFile: file("tls/vault.key"))
        let configuration = try String(
            contentsOf: Places.package.appending(path: "deploy/vault.hcl"), encoding: .utf8
        )
        .replacing("/etc/vault/tls", with: file("tls")).replacing("/var/lib/vault", with: file("data"))
        .replacing("0.0.0.0:8200", with: "127.0.0.1:\(port)").replacing("vault:8200", with: "127.0.0.1:\(port)")
        .replacing("0.0.0.0:8201", with: "127.0.0.1:\(clusterPort)")
        .replacing("vault:8201", with: "127.0.0.1:\(clusterPort)")
        try (configuration + further).write(toFile: file("vault.hcl"), atomically: true, encoding: .utf8)
    }

    func file(_ name: String) -> String { folder.appending(path: name).path }

    /// The certificate of the authority that issued the server's.
    var authorityFile: String { file("ca.pem") }

    /// Starts it; it is sealed then, or not initialised.
    func start() throws {
        let new = try VaultProcess(["server", "-config=\(file("vault.hcl"))"], log: folder.appending(path: "log"))
        process.withLock { $0 = new }
    }

    /// Kills it. Its data stays.
    func stop() {
        process.withLock { process in
            process?.stop()
            process = nil
        }
    }

    /// Stops it and removes all of it.
    func remove() {
        stop()
        try? FileManager.default.removeItem(at: folder)
    }

    deinit { remove() }

    /// The API with a token.
    func api(_ token: String) -> VaultAPI { VaultAPI(address: address, token: token, authority: authorityFile) }

    /// Runs init-vault.sh against it.
    /// - Parameters:
    ///   - token: as VAULT_TOKEN, if any.
    ///   - environment: further variables.
    func prepare(
        _ arguments: [String] = [], token: String? = nil, environment: [String: String] = [:]
    ) async throws -> Preparation {
        var variables = ["VAULT_ADDR": address, "VAULT_CACERT": authorityFile]
        if let token { variables["VAULT_TOKEN"] = token }
        return try await Preparation.run(arguments, environment: variables.merging(environment) { $1 })
    }
}

/// A server that is prepared already, for tests that each use names of their own in it.
struct PreparedServer: Sendable {
    let server: StackServer
    let rootToken: String
    var api: VaultAPI { server.api(rootToken) }

    private static let first = Task {
        let server = try StackServer()
        try server.start()
        let initFile = server.file("init.json")
        try await server.prepare(["--init-file", initFile, "--credentials-dir", server.file("first")]).mustSucceed()
        let keys = try JSONDecoder().decode(InitFile.self, from: try Data(contentsOf: URL(filePath: initFile)))
        removed.withLock { $0 = server.folder }
        // It lives as long as the test process, which ends without letting go of what is static.
        atexit {
            guard let folder = PreparedServer.removed.withLock({ $0 }) else { return }
            try? FileManager.default.removeItem(at: folder)
        }
        return PreparedServer(server: server, rootToken: keys.root_token)
    }

    /// What to remove at the end.
    private static let removed = Mutex<URL?>(nil)

    static var shared: PreparedServer { get async throws { try await first.value } }

    /// Runs init-vault.sh with the root token and all names made unique by a suffix.
    func prepare(
        _ arguments: [String] = [], names: Names, token: String? = nil, environment: [String: String] = [:]
    ) async throws -> Preparation {
        try await server.prepare(
            names.options + arguments, token: token ?? rootToken, environment: environment)
    }

    /// What one test's mounts, key, policy and role are called.
    struct Names: Sendable {
        let suffix = UUID().uuidString.prefix(8).lowercased()
        var kv: String { "kv-\(suffix)" }
        var transit: String { "transit-\(suffix)" }
        var key: String { "key-\(suffix)" }
        var policy: String { "policy-\(suffix)" }
        var approle: String { "approle-\(suffix)" }
        var role: String { "role-\(suffix)" }

        var options: [String] {
            [
                "--kv-mount", kv, "--transit-mount", transit, "--transit-key", key, "--policy", policy,
                "--approle-mount", approle, "--role", role,
            ]
        }
    }
}

/// What init-vault.sh writes when it initialises a server.
struct InitFile: Decodable {
    let keys: [String]?
    let keys_base64: [String]?
    let recovery_keys: [String]?
    let root_token: String
}
