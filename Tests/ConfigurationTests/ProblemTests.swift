import PosternConfiguration
import Testing

@Suite struct ProblemTests {
    @Test func `an unknown key is named with its line and with the keys that exist`() throws {
        let found = try problems(
            yaml: "log:\n  level: info\n\n  fromat: json\nlogs: {}\nbackend:\n  sqlite:\n    file: x\n")
        #expect(
            found == [
                "postern.yaml:4: log.fromat: there is no such key; log has level, format.",
                "postern.yaml:5: logs: there is no such key; the sections are grpc, admin, backend, envelope, migration, cache, "
                    + "policy, audit, limits, log, shutdown.",
                "postern.yaml:8: backend.sqlite.file: there is no such key; backend.sqlite has path.",
            ])
    }

    @Test func `all problems of all sources are told at once`() throws {
        let found = try problems(
            yaml: "grpc:\n  max_streams: 0\n  reflection: \"true\"\nlog:\n  level: loud\n",
            environment: ["POSTERN_GRPC_THREADS": "many", "POSTERN_GRPC_LISTNE": "x", "POSTERN_POLICY_FILE": ""],
            overrides: ["cache.ttl=soon", "cache.tll=1s", "nonsense"])
        #expect(found.count == 9, "\(found)")
        for start in [
            "--set: cache.ttl: \"soon\" is not allowed; write a duration such as 500ms, 10s, 5m or 1h",
            "--set: cache.tll: there is no such key; cache has enabled,", "--set: write key=value",
            "POSTERN_GRPC_THREADS: grpc.threads: \"many\" is not allowed; write a whole number from 0 to 1024.",
            "POSTERN_GRPC_LISTNE: there is no setting of that name", "postern.yaml:2: grpc.max_streams: \"0\"",
            "postern.yaml:3: grpc.reflection: write true or false, without quotes.",
            "postern.yaml:5: log.level: \"loud\" is not allowed; write one of trace, debug, info,",
            "policy.file: it is required; set it in the file or by POSTERN_POLICY_FILE.",
        ] {
            #expect(found.contains { $0.hasPrefix(start) }, "\(start)")
        }
    }

    @Test(arguments: [
        (
            "grpc.listen",
            ["", "7443", ":7443", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[x]:80", "a b:1"]
        ),
        ("grpc.max_streams", ["", "0", "65537", "-1", "+1", "1.5", "1e3", " 1", "99999999999999999999"]),
        ("grpc.reflection", ["", "yes", "True", "1"]),
        ("grpc.idle_timeout", ["", "10", "s", "1d", "1.5s", "-1s", "10 s", "0s", "999999999999999999h", "800h"]),
        ("grpc.minimum_tls", ["", "1.1", "TLS1.3"]),
        ("grpc.crl", ["a,,b", ","]),
        ("grpc.deny_list", [""]),
        ("admin.allowed_origins", ["*", "a.example", "https://a.example/", "ftp://a", "https://u@a", "https://a:0"]),
        ("backend.kind", ["", "Vault", "SQLite"]),
        ("backend.vault.addresses", ["", "127.0.0.1:8200", "https://a/v1", "https://a:8200,b:8200"]),
        (
            "envelope.keys",
            [
                "file", "transit=postern", "transit=transit/", "hsm=x", "file=a,file=a", "aws_kms=", "aws_kms=postern",
                "aws_kms=alias/", "aws_kms=arn:aws:kms:eu-west-1:111122223333:key/",
                "aws_kms=arn:aws:s3:::bucket/key/x", "gcp_kms=projects/p",
                "gcp_kms=projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
                "gcp_kms=projects/p/locations//keyRings/r/cryptoKeys/k",
            ]
        ),
        ("backend.vault.mount", ["", "a b", "a,b"]),
        (
            "admin.keys",
            [
                "alice", "alice:00", ":" + String(repeating: "0", count: 64),
                "a b:" + String(repeating: "0", count: 64),
                "a:" + String(repeating: "g", count: 64),
                "a:" + String(repeating: "0", count: 64) + ",a:" + String(repeating: "1", count: 64),
            ]
        ),
    ])
    func `a value that is not allowed is refused with what is`(key: String, values: [String]) throws {
        for value in values {
            let found = try problems(overrides: ["\(key)=\(value)"])
            #expect(found.count == 1, "\(value): \(found)")
            #expect(found.first?.hasPrefix("--set: \(key): ") == true, "\(value): \(found)")
            #expect(found.first?.contains("is not allowed; write ") == true, "\(value): \(found)")
        }
    }

    @Test(arguments: [
        ("grpc:\n  listen: [a]\n", "postern.yaml:2: grpc.listen: this must be one value"),
        ("grpc:\n  listen: {a: b}\n", "postern.yaml:2: grpc.listen: this must be one value"),
        ("grpc:\n  crl: a.crl\n", "postern.yaml:2: grpc.crl: this must be a list"),
        ("grpc:\n  crl:\n    - a\n    - {b: c}\n", "postern.yaml:4: grpc.crl: item 2 is not allowed"),
        ("grpc:\n  crl:\n    - a,b\n", "postern.yaml:3: grpc.crl: item 1 is not allowed"),
        ("grpc:\n  listen:\n", "postern.yaml:2: grpc.listen: it has no value"),
        ("grpc:\n  listen: ''\n", "postern.yaml:2: grpc.listen: \"\" is not allowed"),
        ("grpc: 1\n", "postern.yaml:1: grpc: this is a section"),
        ("backend:\n  sqlite: x\n", "postern.yaml:2: backend.sqlite: this is a section"),
        ("- grpc\n", "postern.yaml:1: the file must have sections"),
        ("admin:\n  keys:\n    - name: a\n", "postern.yaml:3: admin.keys: item 1 is not allowed"),
        ("admin:\n  keys:\n    - {name: a, sha256: 'ff'}\n", "postern.yaml:3: admin.keys: item 1 is not allowed"),
        ("grpc:\n  ? [a]\n  : b\n", "postern.yaml:2: grpc: a key must be a plain word."),
        (
            "grpc:\n  threads: 1\n  listen: a:1\n  threads: 2\n",
            "postern.yaml:2: given more than once in one section, first here: threads."
        ),
        ("grpc: {}\nlog: {}\ngrpc: {}\n", "postern.yaml:1: given more than once in one section, first here: grpc."),
        ("grpc:\n  listen: \"a\n", "this is not valid YAML"),
        ("grpc:\n\tlisten: a\n", "postern.yaml:2: this is not valid"),
        ("a: 1\n---\nb: 2\n", "this is not valid YAML"), ("grpc: *nobody\n", "this is not valid YAML"),
    ])
    func `a file of the wrong form is refused with the line`(yaml: String, problem: String) throws {
        let found = try problems(yaml: yaml)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(problem) == true, "\(found)")
    }

    @Test func `a missing file is told by its name, without calling missing what it may have said`() throws {
        let error = #expect(throws: ConfigurationProblems.self) {
            try GatewayConfiguration.load(file: "/nonexistent/postern.yaml")
        }
        #expect(error?.problems.count == 1)
        #expect(
            error?.description.hasPrefix("/nonexistent/postern.yaml: the configuration file cannot be read: ") == true)
    }

    @Test func `nothing at all is refused with every setting that is required`() throws {
        let error = #expect(throws: ConfigurationProblems.self) { try GatewayConfiguration.load(file: nil) }
        #expect(
            error?.problems.map(\.key) == [
                "grpc.certificate", "grpc.key", "grpc.client_ca", "admin.certificate", "admin.key_file", "policy.file",
                "audit.directory",
            ])
    }

    @Test func `no problem ever repeats a secret`() throws {
        let broken = "admin:\n  key: \"canary\n  keys: x\n"
        let wrong = "admin:\n  key: [canary]\nbackend:\n  vault:\n    token: \"a\\ncanary\"\n"
        let twice = "admin:\n  key: canary\n  key: canary2\n"
        var found = try problems(yaml: broken) + problems(yaml: wrong) + problems(yaml: twice)
        found += try problems(environment: ["POSTERN_ADMIN_KEY": "canary", "VAULT_TOKEN": "canary\n"])
        found += try problems(overrides: ["admin.key=canary", "canary", "admin.key", "backend.vault.token=canary"])
        #expect(found.count >= 9)
        #expect(found.allSatisfy { !$0.contains("canary") }, "\(found)")
    }

    @Test func `a secret on the command line is refused with where to put it`() throws {
        let found = try problems(overrides: ["admin.key=x"])
        #expect(found.first?.contains("set ADMIN_KEY in the environment") == true)
    }

    @Test func `an override given twice is refused`() throws {
        #expect(try problems(overrides: ["log.level=info", "log.level=debug"]).count == 1)
    }

    @Test func `the environment names that are no settings are left alone`() throws {
        #expect(try problems(environment: ["POSTERN_CONFIG": "x", "POSTERN_TEST_PORT": "1", "PATH": "/bin"]) == [])
    }

    @Test(arguments: [
        (["cache.refresh_ahead=60s"], "cache.refresh_ahead"), (["grpc.default_deadline=2m"], "grpc.default_deadline"),
        (["limits.max_payload_bytes=1310720"], "grpc.max_message_bytes"),
        (["admin.max_body_bytes=1398104"], "admin.max_body_bytes"), (["cache.max_bytes=65536"], "cache.max_bytes"),
        (["admin.listen=127.0.0.1:7443"], "admin.listen"), (["grpc.key=s.pem"], "grpc.key"),
        (["admin.key_file=s.pem"], "admin.key_file"),
    ])
    func `settings that contradict each other are refused`(overrides: [String], key: String) throws {
        let found = try problems(overrides: overrides)
        #expect(found.contains { $0.hasPrefix(key + ": ") }, "\(found)")
    }

    @Test func `contradictions are judged by what applies, not by what is switched off`() throws {
        #expect(try problems(overrides: ["cache.refresh_ahead=60s", "cache.enabled=false"]) == [])
        #expect(try problems(overrides: ["grpc.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0"]) == [])
    }

    @Test func `without any admin key the configuration is refused; a hash alone will do`() throws {
        let none = try problems(environment: ["ADMIN_KEY": ""])
        #expect(none.first?.hasPrefix("admin.key: there is no admin key; set ADMIN_KEY") == true)
        let hash = String(repeating: "0", count: 64)
        #expect(try problems(environment: ["ADMIN_KEY": ""], overrides: ["admin.keys=alice:\(hash)"]) == [])
    }

    @Test func `a certificate without its key is refused`() throws {
        let found = try problems(environment: ["POSTERN_GRPC_KEY": ""])
        #expect(found == ["grpc.key: it is required; set it in the file or by POSTERN_GRPC_KEY."])
    }
}
