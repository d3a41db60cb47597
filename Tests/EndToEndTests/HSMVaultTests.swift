import Foundation
import PosternClient
import PosternProtocol
import SoftTokens
import TestPrograms
import Testing
import VaultServers

/// Production's first use: secrets in Vault, under keys in an HSM, with the real binary.
@Suite(.timeLimit(.minutes(10))) struct HSMVaultTests {
    @Test func `a gateway in front of a cluster keeps its keys in an HSM, and no new one is made for a lost one`()
        async throws
    {
        let cluster = try await Cluster()
        defer { cluster.stop() }
        _ = try await cluster.leader()
        let hsm = try SoftToken()
        let settings = GatewaySettings.vault(
            cluster, envelope: true, overrides: ["envelope.keys=pkcs11=\(hsm.uri("kek"))", "cache.enabled=false"])
        let gateway = try GatewayUnderTest(settings)
        let made = try await gateway.makeKeys(overrides: settings.overrides, environment: settings.environment)
        #expect(made.code == 0 && made.text.contains("made: AES with 256 bits"), "\(made.summary)")
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "value-canary") }
            #expect(try await gateway.client { try await $0.value("llm/a") } == "value-canary")
            let seen = try await cluster.command(["kv", "get", "-mount=secret", "-format=json", "llm/a"]).text
            #expect(!seen.contains("canary"), "\(seen)")

            hsm.goAway()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "value-canary")
            hsm.comeBack()
            try await gateway.restart()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "value-canary")

            let other = settings.overrides.map { $0.replacing("object=kek", with: "object=other") }
            let refused = try await gateway.makeKeys(overrides: other, environment: settings.environment)
            #expect(refused.code == 7, "\(refused.summary)")
            #expect(refused.errors.contains("Vault holds what was encrypted"), "\(refused.summary)")
        }
    }
}
