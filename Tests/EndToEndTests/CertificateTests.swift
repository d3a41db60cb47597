import Foundation
import PosternClient
import PosternPKI
import PosternProtocol
import TestPrograms
import Testing

/// Who gets in, and what those who do not are told.
@Suite(.timeLimit(.minutes(3))) struct CertificateTests {
    @Test func `a client that TLS cannot trust is told so by an alert, and the attempt is on record`() async throws {
        try await withGateway { gateway in
            let pki = gateway.pki
            let stranger = try CertificateAuthority.create(commonName: "Another CA")
            try stranger.issueClient(spiffeID: "spiffe://test.postern/gateway")
                .write(certificateFile: pki.file("stranger.pem"), keyFile: pki.file("stranger.key"))
            let name = "URI:spiffe://test.postern/gateway"
            try await pki.issueOdd("expired", alternativeNames: name, until: "20250101000000Z")
            try await pki.issueOdd("early", alternativeNames: name, from: "20440101000000Z")
            let wanted = [
                "none": "TLSV13_ALERT_CERTIFICATE_REQUIRED", "stranger": "TLSV1_ALERT_UNKNOWN_CA",
                "expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED", "early": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
                "server": "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "gateway": "served",
            ]
            let printed = try await gateway.python("handshake.py", wanted.keys.sorted()).text
            for (client, alert) in wanted {
                #expect(printed.contains("\(client) \(alert)\n"), "\(printed)")
            }
            try await eventually("five failed handshakes are on record") {
                try gateway.auditRecords().count { record in
                    record.action == "authenticate" && record.outcome == "unauthenticated"
                        && record.record["detail"]?["stage"]?.text == "tls_handshake"
                        && record.record["detail"]?["cause"]?.text?.isEmpty == false
                        && record.record["actor"]?["address"]?.text == "127.0.0.1"
                } == 5
            }
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
            #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/a") } == "x")
        }
    }

    @Test func `a certificate that says nobody usable is refused call by call, with the reason`() async throws {
        try await withGateway { gateway in
            try await gateway.pki.issueOdd("nameless", alternativeNames: "")
            try await gateway.pki.issueOdd(
                "two", alternativeNames: "URI:spiffe://test.postern/gateway,URI:spiffe://test.postern/operator")
            try await gateway.pki.issueOdd("stranger", alternativeNames: "URI:spiffe://elsewhere/gateway")
            for (client, code, words) in [
                ("nameless", SecretError.Code.unauthenticated, "no usable identity"),
                ("two", .unauthenticated, "exactly one"), ("stranger", .permissionDenied, "may not"),
            ] {
                let refusal = try await gateway.refusal(as: client) { _ = try await $0.get("llm/a") }
                #expect(refusal.error.code == code)
                #expect(refusal.error.message.contains(words), "\(refusal)")
                let record = try #require(try gateway.auditRecords().first { $0.index == refusal.auditIndex })
                #expect(record.decision == "deny")
                #expect(record.outcome == code.rawValue)
                #expect(record.principal == nil)
                #expect(record.path == "llm/a")
                let presented = try await gateway.pki.fingerprint(client)
                #expect(record.record["actor"]?["credential"]?.text == presented, "who was refused is on record")
            }
            _ = try await gateway.client { try await $0.put("llm/a", "x") }
        }
    }

    @Test(arguments: [true, false])
    func `a common name names its holder only where that is configured`(isAllowed: Bool) async throws {
        var settings = GatewaySettings(overrides: ["grpc.allow_common_name=\(isAllowed)"])
        settings.policy = settings.policy.replacing(
            "principals:\n", with: "principals:\n  old: { common_name: old-service }\n"
        ).replacing("to: [operator, admin]", with: "to: [old, operator, admin]")
        try await withGateway(settings) { gateway in
            try await gateway.pki.issueOdd("old-service", alternativeNames: "")
            if isAllowed {
                _ = try await gateway.client(as: "old-service") { try await $0.put("llm/a", "x") }
            } else {
                let refusal = try await gateway.refusal(as: "old-service") { _ = try await $0.put("llm/a", "x") }
                #expect(refusal.error.code == .unauthenticated)
            }
        }
    }

    @Test func `a certificate without names is somebody where policy knows its fingerprint`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings())
        try await gateway.pki.issueOdd("legacy", alternativeNames: "")
        let fingerprint = try await gateway.pki.fingerprint("legacy")
        try gateway.write(
            GatewaySettings.standardPolicy.replacing(
                "principals:\n", with: "principals:\n  legacy: { fingerprint: \"\(fingerprint)\" }\n"
            ).replacing("to: [operator, admin]", with: "to: [legacy, operator, admin]"), to: "policy.yaml")
        try await withGateway(started: gateway) { gateway in
            _ = try await gateway.client(as: "legacy") { try await $0.put("llm/a", "x") }
        }
    }
}
