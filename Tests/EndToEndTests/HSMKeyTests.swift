import CFaultControl
import Foundation
import PosternClient
import PosternProtocol
import SoftTokens
import TestPrograms
import Testing

/// Key-encryption keys in an HSM, with the real binary.
@Suite(.timeLimit(.minutes(10))) struct HSMKeyTests {
    private static func settings(_ hsm: SoftToken, overrides: [String] = []) -> GatewaySettings {
        // Without a cache of answers, so that every read takes a domain key; checked often, so that gauges follow.
        GatewaySettings(
            overrides: [
                "envelope.keys=pkcs11=\(hsm.uri("kek"))", "cache.enabled=false", "envelope.verify_interval=1s",
            ] + overrides)
    }

    /// A gateway whose keys are made.
    private static func withHSMGateway(
        _ hsm: SoftToken, overrides: [String] = [], _ body: (GatewayUnderTest) async throws -> Void
    ) async throws {
        let settings = settings(hsm, overrides: overrides)
        let gateway = try GatewayUnderTest(settings)
        let made = try await gateway.makeKeys(overrides: settings.overrides)
        try #require(made.code == 0, "\(made.summary)")
        try await withGateway(started: gateway, body)
    }

    @Test func `init makes the key once, after saying so in a dry run, and not in place of a lost one`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm)
        let gateway = try GatewayUnderTest(settings)
        func keys(_ arguments: String...) async throws -> Finished {
            try await gateway.makeKeys(arguments, overrides: settings.overrides)
        }
        let before = hsm.faults.calls(fault_GenerateKey)
        let dry = try await keys("--dry-run")
        #expect(dry.code == 0 && dry.text.contains("would be made: AES with 256 bits"), "\(dry.summary)")
        #expect(hsm.faults.calls(fault_GenerateKey) == before)
        let made = try await keys()
        #expect(made.text.contains("made: AES with 256 bits"), "\(made.summary)")
        #expect(made.text.contains("the key's id is \(hsm.id("kek"))"))
        let again = try await keys()
        #expect(again.code == 0 && again.text.contains(": there"), "\(again.summary)")
        #expect(hsm.faults.calls(fault_GenerateKey) == before + 1)

        let object = try await mustRun(
            "pkcs11-tool",
            [
                "--module", hsm.faults.library, "--token-label", "prod", "--login", "--pin", SoftToken.pin,
                "--list-objects",
            ]
        ).text
        #expect(object.contains("AES length 32") && object.contains("sensitive, always sensitive, never extractable"))

        // With a store there, a key that is not on the token is lost, not to be made.
        try gateway.write("", to: "secrets.sqlite")
        let lost = try await gateway.makeKeys(
            [], overrides: ["envelope.keys=pkcs11=\(hsm.uri("other"))"])
        #expect(lost.code == 7 && lost.errors.contains("put that back"), "\(lost.summary)")
        await gateway.remove()
    }

    @Test func `init makes RSA where that is asked for, and the gateway wraps under it`() async throws {
        let hsm = try SoftToken()
        let settings = Self.settings(hsm)
        let gateway = try GatewayUnderTest(settings)
        let made = try await gateway.makeKeys(["--rsa"], overrides: settings.overrides)
        #expect(made.text.contains("made: RSA with 3072 bits"), "\(made.summary)")
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "under RSA") }
            try await gateway.restart()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "under RSA")
            #expect(try await gateway.keys(["list"]).text.contains("RSA-OAEP"))
        }
    }

    @Test func `an HSM that is away at start is said to be, nothing is served that it guards, and it recovers`()
        async throws
    {
        let hsm = try SoftToken()
        try await Self.withHSMGateway(hsm) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "value-canary-0123456789") }
            #expect(try await gateway.client { try await $0.value("llm/a") } == "value-canary-0123456789")
            let listed = try await gateway.keys(["list"]).text
            #expect(listed.contains(hsm.id("kek")) && listed.contains("AES-256-GCM"), "\(listed)")
            _ = try await gateway.end(by: SIGTERM)
            #expect(!gateway.log.contains("cannot be used now"))
            for name in try FileManager.default.contentsOfDirectory(atPath: gateway.directory.path)
            where name.hasPrefix("secrets.sqlite") {
                let bytes = try Data(contentsOf: gateway.directory.appending(path: name))
                #expect(bytes.range(of: Data("value-canary".utf8)) == nil, "\(name)")
            }

            hsm.goAway()
            try await gateway.start()
            #expect(gateway.log.contains("a key-encryption key cannot be used now"))
            for path in ["llm/a", "billing/new"] {
                let refusal = try await gateway.refusal(as: "operator") { client in
                    if path == "llm/a" { _ = try await client.get(path) } else { try await client.put(path, "x") }
                }
                #expect(refusal.error.code == .keyUnavailable, "\(refusal)")
            }
            let ready = try await gateway.admin("GET", "/readyz").text
            #expect(ready.contains("No token is present"), "\(ready)")
            let gauge = "postern_kek_ok{kek=\"\(hsm.id("kek"))\"}"
            try await eventually("the gauge is down") { try await gateway.metric(gauge) == 0 }

            hsm.comeBack()
            try await eventually("the secret is served again") {
                (try? await gateway.client { try await $0.value("llm/a") }) == "value-canary-0123456789"
            }
            try await eventually("the gauge is up") { try await gateway.metric(gauge) == 1 }
            try await gateway.client { _ = try await $0.put("billing/new", "x") }
            #expect(!gateway.log.contains("canary"))
        }
    }

    @Test(arguments: [false, true])
    func `an HSM that goes while serving stops no read of domains in memory, and recovers`(
        hangs: Bool
    ) async throws {
        let hsm = try SoftToken()
        try await Self.withHSMGateway(hsm) { gateway in
            try await gateway.client { client in
                _ = try await client.put("llm/a", "1")
                _ = try await client.put("billing/a", "2")
            }
            try await gateway.restart()
            // A key to read with and one to write with: each is fetched when it is first needed.
            #expect(try await gateway.client { try await $0.value("llm/a") } == "1")
            try await gateway.client { _ = try await $0.put("llm/a", "1") }
            hangs ? hsm.faults.hold(fault_Decrypt, times: .max) : hsm.goAway()
            for _ in 0..<20 { #expect(try await gateway.client { try await $0.value("llm/a", version: 1) } == "1") }
            let refusal = try await gateway.refusal(as: "operator") { _ = try await $0.get("billing/a") }
            #expect([.keyUnavailable, .deadlineExceeded].contains(refusal.error.code), "\(refusal)")
            try await gateway.client { _ = try await $0.put("llm/b", "written meanwhile") }
            #expect(try await gateway.admin("GET", "/readyz").status == 200)
            hangs ? hsm.faults.release() : hsm.comeBack()
            try await eventually("the other domain is served again") {
                (try? await gateway.client { try await $0.value("billing/a") }) == "2"
            }
            #expect(try await gateway.client { try await $0.value("llm/b") } == "written meanwhile")
        }
        // Whatever failed above, nothing is left held in a process that is to end.
        hsm.faults.release()
    }

    @Test func `beside a file key either opens, and one that fails is yellow and not red`() async throws {
        let hsm = try SoftToken()
        let gateway = try GatewayUnderTest(GatewaySettings(overrides: ["envelope.verify_interval=1s"]))
        let (file, token) = ("file: kek", "pkcs11: \"\(hsm.uri("kek"))\"")
        try await withGateway(started: gateway) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "v") }
            // Into the HSM: beside the file first, and then without it.
            try gateway.configure(keys: [token, file])
            let made = try await gateway.makeKeys()
            #expect(made.code == 0, "\(made.summary)")
            try await gateway.restart()
            let rewrapped = try await gateway.keys(["rewrap", "--output", "json"])
            #expect(try JSON(parsing: rewrapped.output)["changed"]?.number == 1, "\(rewrapped.summary)")
            let verified = try await gateway.keys(["verify"])
            #expect(verified.code == 0, "\(verified.summary)")
            #expect(verified.text.contains("ok      \(hsm.id("kek")): opened 1, failed 0, missing 0"))
            #expect(try await gateway.keys(["rotate", "llm"]).code == 0)

            hsm.goAway()
            try await gateway.restart()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "v")
            let failed = try await gateway.keys(["verify"])
            #expect(failed.code == 7 && failed.text.contains("FAILED  \(hsm.id("kek"))"), "\(failed.summary)")
            let gauges = try await gateway.admin("GET", "/metrics").text
            #expect(gauges.contains("postern_kek_ok{kek=\"\(hsm.id("kek"))\"} 0"), "\(gauges)")
            #expect(gauges.contains("postern_kek_ok{kek=\"file:"))
            let ready = try await gateway.admin("GET", "/readyz")
            #expect(ready.status == 200)
            #expect(ready.text.contains("key \(hsm.id("kek")) failed its last check"), "\(ready.text)")

            hsm.comeBack()
            try await eventually("the check is good again") {
                try await gateway.metric("postern_kek_ok{kek=\"\(hsm.id("kek"))\"}") == 1
            }
            try gateway.configure(keys: [token])
            try await gateway.restart()
            let dropped = try await gateway.keys(["rewrap", "--drop-unconfigured"])
            #expect(dropped.code == 0, "\(dropped.summary)")
            let again = try await gateway.keys(["rewrap", "--output", "json"])
            #expect(try JSON(parsing: again.output)["changed"]?.number == 0, "the HSM's wraps are as new")
            try FileManager.default.removeItem(atPath: gateway.file("kek"))
            try await gateway.restart()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "v")
        }
    }

    @Test func `a PIN that is not there is asked for by name, and used once it is`() async throws {
        let hsm = try SoftToken()
        try await Self.withHSMGateway(hsm) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "v") }
            _ = try await gateway.end(by: SIGTERM)
            try FileManager.default.moveItem(atPath: hsm.pinFile, toPath: hsm.pinFile + ".away")
            try await gateway.start()
            #expect(gateway.log.contains("The PIN file \(hsm.pinFile) is refused"))
            try FileManager.default.moveItem(atPath: hsm.pinFile + ".away", toPath: hsm.pinFile)
            try await eventually("the secret is served again") {
                (try? await gateway.client { try await $0.value("llm/a") }) == "v"
            }
        }
    }

    @Test func `a wrong PIN is tried once, and the right one at the next reload`() async throws {
        let hsm = try SoftToken()
        try await Self.withHSMGateway(hsm) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "v") }
            _ = try await gateway.end(by: SIGTERM)
            // The token says so although the PIN is right, as one does until its officer has unlocked it.
            hsm.faults.fail(fault_Login, with: 0xA4)
            let before = hsm.faults.calls(fault_Login)
            try await gateway.start()
            for _ in 0..<5 {
                let refusal = try await gateway.refusal(as: "operator") { _ = try await $0.get("llm/a") }
                #expect(refusal.error.code == .keyUnavailable)
            }
            #expect(hsm.faults.calls(fault_Login) == before + 1)
            #expect(gateway.log.contains("CKR_PIN_LOCKED"))
            #expect(!gateway.log.contains(SoftToken.pin))
            gateway.signal(SIGHUP)
            try await eventually("the secret is served again") {
                (try? await gateway.client { try await $0.value("llm/a") }) == "v"
            }
        }
    }

    @Test(arguments: [
        ("pkcs11:token=prod;object=kek;colour=red?module-path=/m.so", "not known"),
        ("pkcs11:token=prod;object=kek;type=cert?module-path=/m.so", "not a key that can wrap"),
        ("pkcs11:object=kek?module-path=/m.so", "does not say which token"),
        ("pkcs11:token=prod;object=kek?module-path=m.so", "absolute path"),
    ])
    func `a URI that names no key is refused before anything starts`(uri: String, why: String) async throws {
        let gateway = try GatewayUnderTest(GatewaySettings())
        let checked = try await run(
            try Places.postern(),
            ["config", "check", "--config", gateway.file("postern.yaml"), "--set", "envelope.keys=pkcs11=\(uri)"],
            environment: ["ADMIN_KEY": gateway.adminKey], in: gateway.directory)
        #expect(checked.code == 78 && checked.errors.contains(why), "\(checked.summary)")
        await gateway.remove()
    }
}
