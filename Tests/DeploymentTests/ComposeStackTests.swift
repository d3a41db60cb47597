import Foundation
import TestPrograms
import Testing
import VaultServers

/// The compose stack, service by service, with the commands, scripts and files that compose runs them with.
@Suite(.timeLimit(.minutes(5))) struct ComposeStackTests {
    @Test func `the server comes up from nothing, and again after a restart`() async throws {
        let stack = try LocalStack()
        let issued = try await stack.issueCertificates()
        #expect(issued.code == 0, "\(issued.summary)")
        var vault: VaultProcess? = try stack.startVault()
        defer { vault?.stop() }
        let first = try await stack.run("init")
        #expect(first.code == 0, "\(first.summary)")
        try await eventually("the server is healthy", within: .seconds(120)) {
            try await stack.checkHealth("vault").code == 0
        }
        #expect(try secretFiles(stack) == ["credentials/role-id", "credentials/secret-id", "unseal-keys/keys.json"])
        try await logIn(stack)

        vault?.stop()
        vault = try stack.startVault()
        try await eventually("the server says that it is sealed", within: .seconds(120)) {
            try await stack.checkHealth("vault").code == 2
        }
        #expect(try await stack.issueCertificates().code == 0)
        let second = try await stack.run("init")
        #expect(second.code == 0 && second.output == first.output, "\(second.summary)")
        #expect(second.errors.contains("unsealed") && !second.errors.contains("wrote"), "\(second.errors)")
        #expect(try await stack.checkHealth("vault").code == 0)
        try await logIn(stack)
    }

    @Test func `certificates are issued once, and anew when they have lived two thirds of their time`() async throws {
        let stack = try LocalStack()
        func bytes(_ file: String) throws -> Data { try Data(contentsOf: stack.volume(file)) }
        #expect(try await stack.issueCertificates().code == 0)
        let (old, kept) = (try bytes("vault-tls/vault.pem"), try bytes("postern-tls/server.pem"))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -62 * 86_400)],
            ofItemAtPath: stack.volume("vault-tls/vault.pem").path)
        let again = try await stack.issueCertificates()
        #expect(again.code == 0, "\(again.summary)")
        #expect(try bytes("vault-tls/vault.pem") != old)
        #expect(try bytes("postern-tls/server.pem") == kept)
        for certificate in ["vault-tls/vault", "postern-tls/server", "clients/operator"] {
            try await mustRun(
                "openssl",
                ["verify", "-CAfile", stack.volume("trust/ca.pem").path, stack.volume("\(certificate).pem").path])
            let key = try await mustRun("openssl", ["pkey", "-pubout", "-in", stack.volume("\(certificate).key").path])
            let own = try await mustRun(
                "openssl", ["x509", "-pubkey", "-noout", "-in", stack.volume("\(certificate).pem").path])
            #expect(key.text == own.text, "\(certificate): the key is the certificate's")
        }
    }

    /// The owners in numbers, as the images have them.
    private static let (vault, postern) = (100, 10_001)

    @Test(.enabled(if: getuid() == 0, "giving up capabilities takes them"))
    func `certificates go to their owners alone, with no capability but the one that the service has`() async throws {
        let stack = try LocalStack()
        let service = try stack.compose.service("certificates")
        let capabilities = try #require(service.all["cap_add"] as? [String]).map { "+\($0.lowercased())" }
        let launcher = [
            "setpriv", "--bounding-set", (["-all"] + capabilities).joined(separator: ","), "--inh-caps", "-all",
            "--no-new-privs",
        ]
        let aged = stack.volume("postern-tls/server.pem").path
        for isRenewal in [false, true] {
            if isRenewal {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -62 * 86_400)], ofItemAtPath: aged)
            }
            let issued = try await stack.run("certificates", launcher: launcher)
            #expect(issued.code == 0, "\(issued.summary)")
            #expect(issued.text.contains("wrote"))
        }
        for (file, owner, mode) in [
            ("vault-tls/vault.key", Self.vault, 0o600), ("postern-tls/server.key", Self.postern, 0o600),
            ("clients/operator.key", Self.postern, 0o600), ("authority/ca.key", 0, 0o600), ("trust/ca.pem", 0, 0o644),
            ("vault-data", Self.vault, 0o700), ("vault-tls", 0, 0o755), ("postern-tls", 0, 0o755),
        ] {
            let attributes = try FileManager.default.attributesOfItem(atPath: stack.volume(file).path)
            #expect(attributes[.ownerAccountID] as? Int == owner, "\(file)")
            #expect(attributes[.posixPermissions] as? Int == mode, "\(file)")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: stack.volume("authority").path)
        #expect(left.sorted() == ["ca.key", "ca.pem"], "keys of others do not stay with the authority's")
    }

    /// The last step. It runs as soon as the command knows the backend.
    @Test(.enabled("this build has no Vault backend yet") { try await Self.knowsVault() })
    func `the gateway comes up in front of the server, and serves through its restart`() async throws {
        let stack = try LocalStack()
        try #require(try await stack.issueCertificates().code == 0)
        var vault: VaultProcess? = try stack.startVault()
        defer { vault?.stop() }
        try #require(try await stack.run("init").code == 0)

        let words = try stack.commandLine("postern")
        let postern = try LiveProcess(
            words[0], Array(words.dropFirst()), environment: try stack.environment("postern"), in: stack.folder,
            errorFile: stack.folder.appending(path: "postern.log"))
        defer { postern.signal(SIGKILL) }
        try await postern.wait(toSay: "ready grpc=")
        let health = try await stack.checkHealth("postern", further: ["--address", stack.adminAddress])
        #expect(health.code == 0, "\(health.summary)")

        let put = try await put("llm/openai/api_key", "sk-1", in: stack)
        #expect(put.code == 0, "\(put.summary)")
        let got = try await stack.run("client", command: ["get", "llm/openai/api_key"])
        #expect(got.text == "sk-1", "\(got.summary)")
        // Under the envelope the server itself never has the value.
        let stored = try await logIn(stack).must("GET", "secret/data/llm/openai/api_key")
        #expect(!String(decoding: stored.body, as: UTF8.self).contains("sk-1"))

        vault?.stop()
        let stale = try await stack.run("client", command: ["get", "llm/openai/api_key"])
        #expect(stale.text == "sk-1", "\(stale.summary)")
        vault = try stack.startVault()
        try #require(try await stack.run("init").code == 0)
        try await eventually("the gateway writes again", within: .seconds(120)) {
            try await self.put("llm/openai/api_key", "sk-2", in: stack).code == 0
        }
        postern.signal(SIGTERM)
        #expect(try await postern.ending().code == 0)
    }

    private static func knowsVault() async throws -> Bool {
        let checked = try await run(try Places.postern(), ["config", "check", "--set", "backend.kind=vault"])
        return !checked.errors.contains("\"vault\" is not allowed")
    }

    /// Writes a secret through the admin API.
    private func put(_ name: String, _ value: String, in stack: LocalStack) async throws -> Finished {
        let header = stack.file("admin.header")
        try "Authorization: Bearer \(stack.adminKey)\n".write(toFile: header, atomically: true, encoding: .utf8)
        return try await run(
            "curl",
            [
                "--silent", "--show-error", "--fail-with-body", "--max-time", "60", "--cacert",
                stack.volume("trust/ca.pem").path, "--header", "@\(header)", "--header",
                "content-type: application/json", "--data-binary", "@-",
                "https://\(stack.adminAddress)/admin/api/secrets",
            ], input: Data(#"{"name":"\#(name)","value":"\#(value)"}"#.utf8))
    }

    /// Logs in at the server as Postern does.
    @discardableResult
    private func logIn(_ stack: LocalStack) async throws -> VaultAPI {
        func text(_ file: String) throws -> String {
            try String(contentsOf: stack.volume("credentials/\(file)"), encoding: .utf8)
                .trimmingCharacters(in: .newlines)
        }
        var api = VaultAPI(
            address: stack.vaultAddress, token: "", authority: stack.volume("trust/ca.pem").path)
        api.token = try await api.must(
            "POST", "auth/approle/login",
            #"{"role_id":"\#(try text("role-id"))","secret_id":"\#(try text("secret-id"))"}"#
        ).value("auth", "client_token")
        return api
    }

    /// The files in the volumes with secrets, each of which must be its owner's alone.
    private func secretFiles(_ stack: LocalStack) throws -> [String] {
        var found: [String] = []
        for volume in ["unseal-keys", "credentials"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: stack.volume(volume).path) {
                let attributes = try FileManager.default.attributesOfItem(
                    atPath: stack.volume("\(volume)/\(name)").path)
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(volume)/\(name)")
                found.append("\(volume)/\(name)")
            }
        }
        return found.sorted()
    }
}
