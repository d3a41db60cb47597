// TLS towards a real server, in the terms of Vault's environment variables.

import Foundation
import NIOPosix
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `Connections to Vault` {
    /// Asks a server with these settings.
    private func ask(_ cluster: Cluster, within limit: Duration = .seconds(60), _ tls: VaultTLS) async throws -> Int {
        var options = VaultOptions(addresses: [try VaultAddress(cluster.nodes[0].address)])
        options.tls = tls
        let client = VaultClient(
            nodes: try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton), namespace: nil,
            patience: .seconds(60), tokens: FixedToken(cluster.rootToken))
        do {
            return try await client.send(.get("secret/config"), deadline: .after(limit)).status
        } catch {
            throw error.error
        }
    }

    @Test func `are verified by the authority that is configured, as a file or a folder`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        var file = VaultTLS()
        file.authorities = cluster.authority
        #expect(try await ask(cluster, file) == 200)

        let folder = cluster.folder.appending(path: "authorities")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: cluster.authority, toPath: folder.appending(path: "a.pem").path)
        var path = VaultTLS()
        path.authoritiesFolder = folder.path
        #expect(try await ask(cluster, path) == 200)

        // The certificate is for localhost too, so that name will do at the same address.
        file.serverName = "localhost"
        #expect(try await ask(cluster, file) == 200)
        let error = await #expect(throws: SecretError.self) {
            try await ask(cluster, within: .seconds(4), VaultTLS())
        }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("TLS") == true, "\(error?.message ?? "")")
        // What development may do: no look at the certificate.
        var unverified = VaultTLS()
        unverified.isVerified = false
        #expect(try await ask(cluster, unverified) == 200)
    }

    @Test(arguments: ["/nonexistent.pem", "/etc/passwd", "/etc"])
    func `with files that cannot be used are refused at start, naming the file`(file: String) throws {
        for set in [\VaultTLS.authorities, \VaultTLS.clientCertificate] as [WritableKeyPath<VaultTLS, String?>] {
            var tls = VaultTLS()
            tls[keyPath: set] = file
            tls.clientKey = file
            let error = #expect(throws: SecretError.self) { try tls.configuration() }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(file) == true)
        }
    }
}
