import CFaultControl
import Foundation
import PosternClient
import PosternProtocol
import SoftTokens
import TestPrograms
import Testing

/// Listeners whose private key is in an HSM, with the real binary: openssl's client, and gRPC clients with mutual TLS.
@Suite(.timeLimit(.minutes(10))) struct HSMTLSTests {
    /// How both listeners are told.
    private static func settings(_ uri: String, admin: Bool = false, overrides: [String] = []) -> GatewaySettings {
        GatewaySettings(
            overrides: ["grpc.key=\(uri)", "grpc.certificate=pki/hsm.pem"]
                + (admin ? ["admin.key_file=\(uri)", "admin.certificate=pki/hsm.pem"] : []) + overrides)
    }

    /// Has the gateway's authority certify a key in an HSM, as an operator does.
    private static func certify(
        _ uri: String, _ gateway: GatewayUnderTest, as name: String = "hsm", environment: [String: String] = [:]
    ) async throws {
        let request = try await mustRun(
            try Places.postern(),
            ["pki", "request", "--key", uri, "--server-dns", "localhost", "--server-ip", "127.0.0.1"],
            environment: environment)
        try gateway.write(request.text, to: "\(name).csr")
        try await mustRun(
            "openssl",
            [
                "x509", "-req", "-in", "\(name).csr", "-copy_extensions", "copy", "-CA", "pki/ca.pem", "-CAkey",
                "pki/ca.key", "-days", "30", "-out", "pki/\(name).pem",
            ], in: gateway.directory)
    }

    private static func handshake(
        _ gateway: GatewayUnderTest, _ arguments: [String] = [], address: String? = nil
    ) async throws -> Finished {
        try await run(
            "openssl",
            [
                "s_client", "-connect", address ?? gateway.grpcAddress, "-verify_return_error", "-verify_hostname",
                "localhost", "-CAfile", gateway.pki.file("ca.pem"), "-cert", gateway.pki.file("operator.pem"), "-key",
                gateway.pki.file("operator.key"), "-alpn", "h2",
            ] + arguments)
    }

    private static func failures(_ gateway: GatewayUnderTest) async throws -> Double {
        try await gateway.metric("postern_tls_key_failures{listener=\"grpc\"}") ?? -1
    }

    @Test func `both listeners serve with a key that init made in the HSM, next to a key-encryption key`() async throws
    {
        let hsm = try SoftToken()
        let settings = Self.settings(
            hsm.uri("tls"), admin: true, overrides: ["envelope.keys=pkcs11=\(hsm.uri("kek"))"])
        let gateway = try GatewayUnderTest(settings)
        let made = try await gateway.makeKeys(overrides: settings.overrides)
        #expect(made.text.contains("made: ECDSA P-256"), "\(made.summary)")
        try await Self.certify(hsm.uri("tls"), gateway)
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "over a key in the HSM") }
            #expect(try await gateway.client { try await $0.value("llm/a") } == "over a key in the HSM")
            let seen = try await Self.handshake(gateway)
            #expect(seen.text.contains("Peer signature type: ECDSA"), "\(seen.summary)")
            #expect(seen.text.contains("Verify return code: 0"))
            let ready = try await gateway.admin("GET", "/readyz")
            #expect(ready.status == 200)
            #expect(ready.text.contains(#"{"name":"tls key (grpc)","ready":true,"detail":"ok"}"#), "\(ready.text)")
            #expect(try await gateway.metric("postern_tls_key_signatures{listener=\"admin\"}") ?? 0 >= 2)
        }
    }

    @Test func `all keys in NSS softokn, which is told by the URI how to start`() async throws {
        let gateway = try GatewayUnderTest(GatewaySettings())
        let database = gateway.file("nss")
        try FileManager.default.createDirectory(atPath: database, withIntermediateDirectories: false)
        try gateway.write("pin-canary-4711\n", to: "pin")
        chmod(gateway.file("pin"), 0o600)
        try await mustRun("certutil", ["-N", "-d", "sql:\(database)", "-f", gateway.file("pin")])
        func uri(_ object: String) throws -> String {
            "pkcs11:token=NSS%20Certificate%20DB;object=\(object)?module-path=\(try NSSSoftokn.library)"
                + "&x-init-args=configdir='sql:\(database)'%20certPrefix=''%20keyPrefix=''%20secmod='secmod.db'%20flags="
                + "&pin-source=file:\(gateway.file("pin"))"
        }
        try gateway.configure(keys: ["pkcs11: \"\(try uri("kek"))\""])
        let yaml = try String(contentsOfFile: gateway.file("postern.yaml"), encoding: .utf8)
        try gateway.write(
            yaml.replacing("key: pki/server.key", with: "key: \"\(try uri("tls"))\"")
                .replacing("key_file: pki/server.key", with: "key_file: \"\(try uri("tls"))\"")
                .replacing("pki/server.pem", with: "pki/hsm.pem"), to: "postern.yaml")
        let made = try await gateway.makeKeys()
        #expect(made.text.contains("made: AES") && made.text.contains("made: ECDSA"), "\(made.summary)")
        try await Self.certify(try uri("tls"), gateway)
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "in NSS") }
            try await gateway.restart()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "in NSS")
            let seen = try await Self.handshake(gateway)
            #expect(seen.text.contains("Verify return code: 0"), "\(seen.summary)")
            #expect(try await gateway.keys(["verify"]).code == 0)
        }
    }

    @Test(arguments: [
        ("EC:secp384r1", "ECDSA", ["-tls1_3"]), ("EC:secp384r1", "ECDSA", ["-tls1_2"]),
        ("rsa:2048", "RSA-PSS", ["-tls1_3"]), ("rsa:2048", "RSA-PSS", ["-tls1_2"]),
        ("rsa:2048", "RSA", ["-tls1_2", "-sigalgs", "RSA+SHA256"]),
        ("rsa:2048", "RSA", ["-tls1_2", "-sigalgs", "RSA+SHA512"]),
    ])
    func `each kind of key signs in each way that it can`(type: String, signature: String, options: [String])
        async throws
    {
        let hsm = try SoftToken()
        try await hsm.makePair("tls", type: type)
        let gateway = try GatewayUnderTest(Self.settings(hsm.uri("tls"), overrides: ["grpc.minimum_tls=1.2"]))
        try await Self.certify(hsm.uri("tls"), gateway)
        try await withGateway(started: gateway) { gateway in
            let heard = try await Self.handshake(gateway, options)
            #expect(heard.text.contains("Verify return code: 0"), "\(heard.summary)")
            #expect(heard.text.contains("Peer signature type: \(signature)\n"), "\(heard.summary)")
            try await gateway.client { _ = try await $0.put("llm/a", "x") }
        }
    }

    @Test func `a certificate is renewed without restart, and one of another key refused`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm.uri("tls"))
        let gateway = try GatewayUnderTest(settings)
        _ = try await gateway.makeKeys(overrides: settings.overrides)
        try await Self.certify(hsm.uri("tls"), gateway)
        func serial() async throws -> String {
            let script =
                "openssl s_client -connect \(gateway.grpcAddress) </dev/null 2>/dev/null | openssl x509 -noout -serial"
            return try await mustRun("bash", ["-c", script]).text
        }
        func reload() async throws -> String? {
            func outcomes() throws -> [AuditEntry] {
                try gateway.auditRecords().filter {
                    $0.action == "tls.reload" && $0.record["phase"]?.text == "outcome"
                }
            }
            let before = try outcomes().count
            gateway.signal(SIGHUP)
            try await eventually("both listeners' files are read again") { try outcomes().count >= before + 2 }
            return try outcomes().suffix(2).first?.outcome
        }
        try await withGateway(started: gateway) { gateway in
            let first = try await serial()
            try await Self.certify(hsm.uri("tls"), gateway)
            #expect(try await reload() == "ok")
            let second = try await serial()
            #expect(second != first)

            // Renewed for the same key, the HSM need not be there; for another, it must.
            hsm.goAway()
            try FileManager.default.removeItem(atPath: gateway.file("hsm.csr"))
            hsm.comeBack()
            try await Self.certify(hsm.uri("tls"), gateway)
            hsm.goAway()
            #expect(try await reload() == "ok")
            hsm.comeBack()
            try await eventually("handshakes succeed again") { try await serial().hasPrefix("serial=") }
            #expect(try await serial() != second)

            let third = try await serial()
            try FileManager.default.removeItem(atPath: gateway.file("pki/hsm.pem"))
            try FileManager.default.copyItem(
                atPath: gateway.file("pki/server.pem"), toPath: gateway.file("pki/hsm.pem"))
            #expect(try await reload() == "invalid_argument")
            #expect(gateway.log.contains("does not belong to the first certificate"))
            #expect(try await serial() == third)
        }
    }

    @Test func `a certificate of another key is told at start`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm.uri("tls"))
        let gateway = try GatewayUnderTest(settings)
        _ = try await gateway.makeKeys(overrides: settings.overrides)
        try FileManager.default.copyItem(atPath: gateway.file("pki/server.pem"), toPath: gateway.file("pki/hsm.pem"))
        // One that starts all the same is stopped.
        let started = try await run(
            "timeout",
            ["60", try Places.postern(), "serve", "--config", gateway.file("postern.yaml")]
                + settings.overrides.flatMap { ["--set", $0] },
            environment: ["ADMIN_KEY": gateway.adminKey], in: gateway.directory)
        #expect(started.code != 0)
        #expect(started.errors.contains("pkcs11:token=prod;object=tls does not belong to"), "\(started.summary)")
        await gateway.remove()
    }

    @Test(arguments: [false, true])
    func `an HSM that fails stops new handshakes and nothing else, and recovers`(hangs: Bool) async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(
            hsm.uri("tls"), overrides: ["grpc.handshake_timeout=2s"])
        let gateway = try GatewayUnderTest(settings)
        _ = try await gateway.makeKeys(overrides: settings.overrides)
        try await Self.certify(hsm.uri("tls"), gateway)
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { client in
                _ = try await client.put("llm/a", "v")
                hangs ? hsm.faults.hold(fault_Sign, times: .max) : hsm.goAway()
                let refused = try await Self.handshake(gateway)
                #expect(refused.code != 0 && !refused.text.contains("Peer signature type"), "\(refused.summary)")
                for _ in 0..<20 { #expect(try await client.value("llm/a") == "v") }
                try await eventually("the failure is counted") { try await Self.failures(gateway) >= 1 }
                #expect(gateway.log.contains("the HSM does not sign TLS handshakes"))
                let ready = try await gateway.admin("GET", "/readyz")
                #expect(ready.status == 200)
                #expect(ready.text.contains(#""name":"tls key (grpc)","ready":false"#), "\(ready.text)")

                hangs ? hsm.faults.release() : hsm.comeBack()
                try await eventually("handshakes succeed again") { try await Self.handshake(gateway).code == 0 }
                #expect(try await client.value("llm/a") == "v")
            }
            #expect(try await gateway.client { try await $0.value("llm/a") } == "v")
            #expect(gateway.log.contains("the HSM signs TLS handshakes again"))
            #expect(try await gateway.metric("postern_tls_key_ok{listener=\"grpc\"}") == 1)
            #expect(
                try gateway.auditRecords().contains {
                    $0.action == "authenticate" && $0.record["detail"]?["stage"]?.text == "tls_handshake"
                })
        }
        hsm.faults.release()
    }

    @Test func `a handshake that waits for the HSM holds up nobody on its event loop`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm.uri("tls"), overrides: ["grpc.threads=1", "grpc.handshake_timeout=10m"])
        let gateway = try GatewayUnderTest(settings)
        _ = try await gateway.makeKeys(overrides: settings.overrides)
        try await Self.certify(hsm.uri("tls"), gateway)
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { client in
                _ = try await client.put("llm/a", "v")
                hsm.faults.hold(fault_Sign)
                async let handshake = Self.handshake(gateway)
                try await eventually("the HSM is asked for a signature") { hsm.faults[fault_held] == 1 }
                do {
                    for _ in 0..<20 { #expect(try await client.value("llm/a") == "v") }
                } catch {
                    hsm.faults.release()
                    throw error
                }
                #expect(hsm.faults[fault_held] == 1)
                hsm.faults.release()
                #expect(try await handshake.code == 0)
            }
        }
    }

    @Test func `an HSM that is away at start fails handshakes until it is there`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm.uri("tls"), admin: true)
        let gateway = try GatewayUnderTest(settings)
        _ = try await gateway.makeKeys(overrides: settings.overrides)
        try await Self.certify(hsm.uri("tls"), gateway)
        hsm.goAway()
        try await withGateway(started: gateway) { gateway in
            #expect(gateway.log.contains("the HSM does not sign TLS handshakes"))
            for address in [gateway.grpcAddress, gateway.adminAddress] {
                #expect(try await Self.handshake(gateway, address: address).code != 0)
            }
            hsm.comeBack()
            for address in [gateway.grpcAddress, gateway.adminAddress] {
                try await eventually("handshakes succeed") {
                    try await Self.handshake(gateway, address: address).code == 0
                }
            }
            try await gateway.client { _ = try await $0.put("llm/a", "v") }
            #expect(try await gateway.metric("postern_tls_key_failures{listener=\"admin\"}") ?? 0 >= 1)
            #expect(try await gateway.metric("postern_hsm_stuck_calls{token=\"pkcs11:token=prod\"}") == 0)
        }
    }
}
