import Crypto
import Foundation
import PosternClient
import PosternPKI
import PosternProtocol
import TestPrograms
import Testing

/// SIGHUP: policy, certificates and revocation lists are read again.
@Suite(.timeLimit(.minutes(3))) struct ReloadTests {
    /// The outcomes of reloads of a kind that are on record.
    private static func reloads(_ action: String, _ gateway: GatewayUnderTest) throws -> [AuditEntry] {
        try gateway.auditRecords().filter { $0.action == action && $0.record["phase"]?.text == "outcome" }
    }

    /// Sends SIGHUP and waits until all parts are on record; the policy comes last.
    /// - Returns: the outcomes; of the two listeners' TLS files, the one that failed if one did.
    private static func reload(
        _ gateway: GatewayUnderTest
    ) async throws -> (policy: AuditEntry, tls: AuditEntry, revocation: AuditEntry) {
        let before = try reloads("policy.reload", gateway).count
        gateway.signal(SIGHUP)
        try await eventually("the reload is on record") { try reloads("policy.reload", gateway).count > before }
        let tls = try reloads("tls.reload", gateway).suffix(2)
        return (
            try #require(try reloads("policy.reload", gateway).last),
            try #require(tls.first { $0.outcome != "ok" } ?? tls.last),
            try #require(try reloads("revocation.reload", gateway).last)
        )
    }

    private static func sha256(_ file: String) throws -> String {
        SHA256.hash(data: try Data(contentsOf: URL(filePath: file)))
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func serial(_ gateway: GatewayUnderTest) async throws -> String {
        let script =
            "openssl s_client -connect \(gateway.grpcAddress) </dev/null 2>/dev/null | openssl x509 -noout -serial"
        return try await run("bash", ["-c", script]).text
    }

    @Test func `a revoked client loses its live connection, and is told why when it comes back`() async throws {
        let lists = ["grpc.crl=pki/ca.crl", "grpc.deny_list=pki/deny.txt"]
        let gateway = try GatewayUnderTest(GatewaySettings(overrides: lists))
        try await gateway.pki.revoke([])
        try gateway.write("", to: "pki/deny.txt")
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            // Each holds a connection over the reload: the old one must be cut, so that the next call makes a new
            // one and is refused.
            try await gateway.client(as: "gateway") { gatewayClient in
                try await gateway.client(as: "billing") { billing in
                    #expect(try await gatewayClient.value("llm/a") == "x")
                    let denied = await #expect(throws: ClientError.self) { try await billing.get("llm/a") }
                    #expect(denied?.error.code == .permissionDenied)

                    try await gateway.pki.revoke(["gateway"])
                    try gateway.write("\(try await gateway.pki.fingerprint("billing"))\n", to: "pki/deny.txt")
                    #expect(try await Self.reload(gateway).revocation.outcome == "ok")

                    for (client, words) in [(gatewayClient, "revoked by"), (billing, "deny list")] {
                        try await eventually("the revoked client is refused for that reason") {
                            do {
                                _ = try await client.get("llm/a")
                                return false
                            } catch let error as ClientError {
                                return error.error.code == .unauthenticated && error.error.message.contains(words)
                            }
                        }
                    }
                }
            }
            let refused = try gateway.auditRecords().filter { $0.outcome == "unauthenticated" }
            #expect(refused.allSatisfy { $0.principal == nil && $0.decision == "deny" && $0.path == "llm/a" })
            #expect(refused.count >= 2)
            #expect(try await gateway.client { try await $0.value("llm/a") } == "x")
        }
    }

    @Test func `a new server certificate is shown to new connections while old ones go on`() async throws {
        try await withGateway { gateway in
            let old = try await Self.serial(gateway)
            try await gateway.client { client in
                try await client.put("a", "x")
                try gateway.pki.issueServer("server", replacing: true)
                #expect(try await Self.reload(gateway).tls.outcome == "ok")
                #expect(try await client.value("a") == "x")
            }
            let new = try await Self.serial(gateway)
            #expect(old.hasPrefix("serial=") && new.hasPrefix("serial="))
            #expect(old != new)
            #expect(try await gateway.client { try await $0.value("a") } == "x")
            #expect(try await gateway.admin("GET", "/admin/api/secrets").status == 200)
        }
    }

    @Test func `a broken certificate leaves the old one in force and is on record`() async throws {
        try await withGateway { gateway in
            let old = try await Self.serial(gateway)
            try gateway.write("nonsense", to: "pki/server.pem")
            #expect(try await Self.reload(gateway).tls.outcome == "invalid_argument")
            #expect(try await Self.serial(gateway) == old)
            #expect(gateway.log.contains("server.pem"))
            _ = try await gateway.client { try await $0.put("a", "x") }
        }
    }

    @Test func `a new policy takes effect at once for live connections, and both hashes are on record`() async throws {
        try await withGateway { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            let oldHash = try Self.sha256(gateway.file("policy.yaml"))
            try await gateway.client(as: "gateway") { client in
                #expect(try await client.value("llm/a") == "x")
                try gateway.write(
                    GatewaySettings.standardPolicy.replacing("on: [\"llm/**\"]", with: "on: [\"other/**\"]"),
                    to: "policy.yaml")
                let record = try await Self.reload(gateway).policy
                #expect(record.outcome == "ok")
                #expect(record.record["detail"]?["old_sha256"]?.text == oldHash)
                #expect(record.record["detail"]?["new_sha256"]?.text == (try Self.sha256(gateway.file("policy.yaml"))))
                let refused = await #expect(throws: ClientError.self) { try await client.get("llm/a") }
                #expect(refused?.error.code == .permissionDenied)
            }
        }
    }

    @Test func `a broken policy leaves the old one in force, is on record, and the log names the line`() async throws {
        try await withGateway { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            let oldHash = try Self.sha256(gateway.file("policy.yaml"))
            try gateway.write("version: 1\nrules:\n  - id: x\n    allow: [fly]\n    to: [nobody]\n", to: "policy.yaml")
            let record = try await Self.reload(gateway).policy
            #expect(record.outcome == "invalid_argument")
            #expect(record.record["detail"]?["old_sha256"]?.text == oldHash)
            #expect(gateway.log.contains("policy.yaml:4"), "\(gateway.log)")
            #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/a") } == "x")
        }
    }

    @Test func `a broken certificate does not keep a revocation from taking effect`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings(overrides: ["grpc.deny_list=pki/deny.txt"]))
        try gateway.write("", to: "pki/deny.txt")
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            try gateway.write("\(try await gateway.pki.fingerprint("gateway"))\n", to: "pki/deny.txt")
            try gateway.write("nonsense", to: "pki/server.pem")
            let reloaded = try await Self.reload(gateway)
            #expect(reloaded.tls.outcome == "invalid_argument")
            #expect(reloaded.revocation.outcome == "ok")
            let refusal = try await gateway.refusal(as: "gateway") { _ = try await $0.get("llm/a") }
            #expect(refusal.error.code == .unauthenticated && refusal.error.message.contains("deny list"))
        }
    }

    @Test func `a client authority that is no longer trusted takes its live connections with it`() async throws {
        let other = try CertificateAuthority.create(commonName: "Another CA")
        let gateway = try GatewayUnderTest(GatewaySettings(overrides: ["grpc.client_ca=pki/clients.pem"]))
        let trusted = try String(contentsOfFile: gateway.pki.file("ca.pem"), encoding: .utf8)
        try gateway.write(trusted + (try other.identity().certificatePEM), to: "pki/clients.pem")
        try other.issueClient(spiffeID: "spiffe://test.postern/gateway")
            .write(certificateFile: gateway.pki.file("other.pem"), keyFile: gateway.pki.file("other.key"))
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            try await gateway.client(as: "other") { client in
                #expect(try await client.value("llm/a") == "x")
                try gateway.write(trusted, to: "pki/clients.pem")
                #expect(try await Self.reload(gateway).tls.outcome == "ok")
                try await eventually("the connection is gone, and a new one is not let in") {
                    do {
                        _ = try await client.get("llm/a")
                        return false
                    } catch is ClientError {
                        return true
                    }
                }
            }
            #expect(try await gateway.client { try await $0.value("llm/a") } == "x")
        }
    }
}
