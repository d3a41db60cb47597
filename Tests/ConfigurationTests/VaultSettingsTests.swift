// The settings of Vault: what goes together, what is never verified, where keys live.

import PosternConfiguration
import Testing

/// What every gateway with Vault says.
private let vault = ["POSTERN_BACKEND_KIND": "vault", "VAULT_ADDR": "https://vault.test:8200", "VAULT_TOKEN": "t"]

/// Problems of such a gateway with more in its environment; an empty text takes a variable away.
private func vaultProblems(_ environment: [String: String]) throws -> [String] {
    try problems(environment: vault.merging(environment) { _, new in new })
}

@Suite struct `Settings of Vault` {
    @Test func `the environment of Vault's own tools is all that is needed`() throws {
        let loaded = try load(
            environment: vault.merging([
                "VAULT_ADDR": "https://a.test:8200,https://b.test:8200/", "VAULT_NAMESPACE": "team",
                "VAULT_CACERT": "ca.pem",
                "VAULT_CAPATH": "/cas", "VAULT_CLIENT_CERT": "c.pem", "VAULT_CLIENT_KEY": "c.key",
                "VAULT_TLS_SERVER_NAME": "vault.test", "VAULT_SKIP_VERIFY": "0",
            ]) { _, new in new })
        let settings = loaded.backend.vault
        #expect(settings.addresses == ["https://a.test:8200", "https://b.test:8200"])
        #expect(settings.namespace == "team")
        #expect(settings.tls.authorities == "ca.pem")
        #expect(settings.tls.authoritiesFolder == "/cas")
        #expect(settings.tls.clientCertificate == "c.pem")
        #expect(settings.tls.serverName == "vault.test")
        #expect(!settings.tls.skipVerify)
        #expect(settings.passThrough == .off)
    }

    @Test(arguments: [
        (["VAULT_ADDR": ""], "backend.vault.addresses: there is no address"),
        (["VAULT_ADDR": "http://vault.test:8200"], "backend.vault.addresses: http://vault.test:8200 is not verified"),
        (["VAULT_ADDR": "http://127.0.0.1:8200"], "backend.vault.addresses: http://127.0.0.1:8200 is not verified"),
        (["VAULT_SKIP_VERIFY": "1"], "backend.vault.tls.skip_verify: only postern dev"),
        (["VAULT_SKIP_VERIFY": "true"], "backend.vault.tls.skip_verify: only postern dev"),
        (["VAULT_CLIENT_CERT": "c.pem"], "backend.vault.tls.client_key: "),
        (["VAULT_TOKEN": ""], "backend.vault.token: the method token needs a token"),
        (["POSTERN_BACKEND_VAULT_TOKEN_FILE": "t"], "backend.vault.token: the method token needs a token"),
        (["POSTERN_BACKEND_VAULT_AUTH_METHOD": "kubernetes"], "backend.vault.auth.role: "),
        (["POSTERN_BACKEND_VAULT_AUTH_METHOD": "cert"], "backend.vault.tls.client_certificate: "),
        (
            ["POSTERN_BACKEND_VAULT_AUTH_METHOD": "jwt", "POSTERN_BACKEND_VAULT_AUTH_ROLE": "r"],
            "backend.vault.auth.jwt_file: "
        ),
        (
            ["POSTERN_BACKEND_VAULT_AUTH_METHOD": "approle", "POSTERN_BACKEND_VAULT_AUTH_ROLE_ID": "r"],
            "backend.vault.auth.secret_id: "
        ),
        (
            [
                "POSTERN_BACKEND_VAULT_AUTH_METHOD": "approle", "POSTERN_BACKEND_VAULT_AUTH_ROLE_ID": "r",
                "POSTERN_BACKEND_VAULT_AUTH_WRAPPED_SECRET_ID_FILE": "w",
            ], "backend.vault.auth.role: "
        ),
    ])
    func `what is missing or unverified is refused with what to do`(
        environment: [String: String], problem: String
    ) throws {
        let found = try vaultProblems(environment)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(problem) == true, "\(found)")
    }

    @Test func `an agent on this machine may be reached by http where that is allowed, and nothing else`() throws {
        let allowed = ["POSTERN_BACKEND_VAULT_ALLOW_LOOPBACK_HTTP": "true"]
        for address in ["http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200"] {
            #expect(try vaultProblems(allowed.merging(["VAULT_ADDR": address]) { _, new in new }) == [])
        }
        for address in ["http://10.0.0.1:8200", "http://localhost.test:8200", "http://127.0.0.1:8200,http://b.test:1"] {
            #expect(try !vaultProblems(allowed.merging(["VAULT_ADDR": address]) { _, new in new }).isEmpty)
        }
    }

    @Test func `a development gateway takes an unverified server`() throws {
        let environment = required.merging(vault) { _, new in new }
            .merging(["VAULT_ADDR": "http://vault.test:8200", "VAULT_SKIP_VERIFY": "1"]) { _, new in new }
        let loaded = try GatewayConfiguration.load(file: nil, environment: environment, isDevelopment: true)
        #expect(loaded.backend.vault.tls.skipVerify)
    }

    @Test func `what is said of Vault is not judged where nothing is in Vault`() throws {
        #expect(try problems(environment: ["VAULT_ADDR": "http://vault.test:8200", "VAULT_SKIP_VERIFY": "1"]) == [])
    }

    @Test func `keys are listed by origin, and a file's path starts from the configuration's folder`() throws {
        let yaml = "envelope:\n  keys:\n    - file: kek\n    - {transit: eng/transit/postern}\n"
        let loaded = try load(yaml: yaml, environment: ["VAULT_ADDR": "https://vault.test:8200", "VAULT_TOKEN": "t"])
        #expect(loaded.envelope.keys.map(\.origin) == [.file, .transit])
        #expect(loaded.envelope.keys.first?.value.hasSuffix("/kek") == true)
        #expect(loaded.envelope.keys.last?.value == "eng/transit/postern")
        #expect(loaded.usesVault)
        let plain = try load()
        #expect(plain.envelope.keys.map(\.value) == [".postern/kek"])
        #expect(!plain.usesVault)
    }

    @Test(arguments: [
        "envelope:\n  keys: [x]\n", "envelope:\n  keys: [{file: a, transit: b/c}]\n",
        "envelope:\n  keys: [{transit: c}]\n",
    ])
    func `a key of the wrong form is refused with its line`(yaml: String) throws {
        let found = try problems(yaml: yaml)
        #expect(found.first?.hasPrefix("postern.yaml:2: envelope.keys: item 1 is not allowed") == true, "\(found)")
    }
}
