import Foundation
import PosternConfiguration
import PosternProtocol
import Testing

@Suite struct LoadingTests {
    @Test func `what nobody sets has its documented default`() throws {
        let loaded = try load()
        #expect(loaded.grpc.listen == ListenAddress(host: "127.0.0.1", port: 7443))
        #expect(loaded.grpc.minimumTLS == .v1_3)
        #expect(loaded.grpc.maxMessageBytes == 1_310_720)
        #expect(loaded.grpc.idleTimeout == .seconds(1800))
        #expect(loaded.grpc.maxConnectionAge == nil)
        #expect(loaded.grpc.threads == nil)
        #expect(loaded.grpc.crl == [])
        #expect(loaded.grpc.denyList == nil)
        #expect(loaded.grpc.reflection)
        #expect(loaded.admin.listen.port == 8443)
        #expect(loaded.admin.keys == [])
        #expect(loaded.backend.kind == .sqlite)
        #expect(loaded.backend.sqlitePath == ".postern/secrets.sqlite")
        #expect(loaded.cache.maxBytes == 67_108_864)
        #expect(loaded.cache.maxStale == .seconds(600))
        #expect(loaded.limits.maxDeadline == .seconds(60))
        #expect(loaded.log.level == .info)
        #expect(loaded.log.format == .json)
        #expect(loaded.shutdownGrace == .seconds(10))
    }

    @Test func `the command line goes over the environment, and that over the file, and that over the default`() throws
    {
        let yaml = "grpc:\n  max_streams: 11\n  max_connections: 12\n  threads: 3\n"
        let loaded = try load(
            yaml: yaml, environment: ["POSTERN_GRPC_MAX_STREAMS": "21", "POSTERN_GRPC_MAX_CONNECTIONS": "22"],
            overrides: ["grpc.max_streams=31"])
        #expect(loaded.grpc.maxStreams == 31)
        #expect(loaded.grpc.maxConnections == 22)
        #expect(loaded.grpc.threads == 3)
        #expect(loaded.grpc.maxHeaderBytes == 16_384)
    }

    @Test func `the mission's names work beside the regular ones`() throws {
        let loaded = try load(environment: ["VAULT_ADDR": "http://127.0.0.1:8200", "VAULT_TOKEN": "hvs.x"])
        #expect(loaded.admin.key?.text == "letmein-canary")
        #expect(loaded.backend.vault.addresses == ["http://127.0.0.1:8200"])
        #expect(loaded.backend.vault.auth.token?.text == "hvs.x")
        let regular = try load(environment: ["ADMIN_KEY": "", "POSTERN_ADMIN_KEY": "other"])
        #expect(regular.admin.key?.text == "other")
        let both = try problems(environment: ["POSTERN_ADMIN_KEY": "other"])
        #expect(both == ["ADMIN_KEY: admin.key: POSTERN_ADMIN_KEY says something else; set one of them."])
    }

    @Test func `every kind of value is read from the file`() throws {
        let hash = String(repeating: "aB", count: 32)
        let loaded = try load(
            yaml: """
                grpc:
                  listen: "[::1]:0"
                  crl: [a.crl, /etc/b.crl]
                  minimum_tls: 1.2
                  reflection: false
                  idle_timeout: 500ms0
                admin:
                  keys:
                    - name: alice
                      sha256: \(hash)
                    - {sha256: "\(hash)", name: bob}
                  allowed_origins: ["https://a.example", "http://localhost:3000"]
                log: {level: warning, format: text}
                """.replacing("500ms0", with: "1500ms"))
        #expect(loaded.grpc.listen == ListenAddress(host: "::1", port: 0))
        #expect(loaded.grpc.listen.description == "[::1]:0")
        #expect(loaded.grpc.crl.map { URL(fileURLWithPath: $0).lastPathComponent } == ["a.crl", "b.crl"])
        #expect(loaded.grpc.crl[1] == "/etc/b.crl")
        #expect(loaded.grpc.minimumTLS == .v1_2)
        #expect(!loaded.grpc.reflection)
        #expect(loaded.grpc.idleTimeout == .milliseconds(1500))
        #expect(loaded.admin.keys.map(\.name) == ["alice", "bob"])
        #expect(loaded.admin.keys.allSatisfy { $0.sha256 == hash.lowercased() })
        #expect(loaded.admin.allowedOrigins == ["https://a.example", "http://localhost:3000"])
        #expect(loaded.log.level == .warning)
    }

    @Test func `lists and named keys are read from the environment and the command line`() throws {
        let hash = String(repeating: "0f", count: 32)
        let loaded = try load(
            yaml: "grpc:\n  crl: [x]\nadmin:\n  allowed_origins: ['https://a.example']\n",
            environment: ["POSTERN_GRPC_CRL": "/a, /b", "POSTERN_ADMIN_KEYS": "alice:\(hash),bob:\(hash)"],
            overrides: ["admin.allowed_origins="])
        #expect(loaded.grpc.crl.map { URL(fileURLWithPath: $0).lastPathComponent } == ["a", "b"])
        #expect(loaded.admin.keys.map(\.name) == ["alice", "bob"])
        #expect(loaded.admin.allowedOrigins == [])
    }

    @Test func `relative paths start from the configuration file's folder, wherever they are given`() throws {
        let directory = try TemporaryDirectory()
        let loaded = try GatewayConfiguration.load(
            file: try directory.file("grpc:\n  certificate: tls/a.pem\n"),
            environment: required.merging(["POSTERN_GRPC_CERTIFICATE": ""]) { _, new in new },
            overrides: ["audit.directory=/var/audit"])
        #expect(loaded.grpc.certificate == directory.path + "/tls/a.pem")
        #expect(loaded.policyFile == directory.path + "/policy.yaml")
        #expect(loaded.backend.sqlitePath == directory.path + "/.postern/secrets.sqlite")
        #expect(loaded.audit.directory == "/var/audit")
        let here = try load()
        #expect(here.policyFile == "policy.yaml")
    }

    @Test func `secrets show only their length, and the admin key only where it is meant to be`() throws {
        let loaded = try load(environment: ["VAULT_TOKEN": "token-canary"])
        var dumped = ""
        dump(loaded, to: &dumped)
        for text in [dumped, String(describing: loaded), String(reflecting: loaded)] {
            #expect(!text.contains("canary"))
        }
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "grpc:\nadmin:\n  # key: x\n", "~"])
    func `a file that sets nothing is fine`(yaml: String) throws {
        #expect(try load(yaml: yaml).grpc.maxStreams == 256)
    }
}
