import Foundation
import TestPrograms
import Testing
import VaultServers

/// init-vault.sh against a server that runs, each test with names of its own.
@Suite(.timeLimit(.minutes(5))) struct InitVaultTests {
    /// What somebody may have done already, and left.
    enum Head: String, CaseIterable {
        case nothing, engine, key, policy, login, role, oldRole
    }

    @Test(arguments: Head.allCases) func `what was prepared in part is completed`(head: Head) async throws {
        let prepared = try await PreparedServer.shared
        let (api, names) = (prepared.api, PreparedServer.Names())
        switch head {
        case .nothing: break
        case .engine: _ = try await api.makeKV(names.kv)
        case .key: try await api.must("POST", "sys/mounts/\(names.transit)", #"{"type":"transit"}"#)
        case .policy:
            try await api.must(
                "PUT", "sys/policies/acl/\(names.policy)", #"{"policy":"path \"*\" {capabilities=[\"sudo\"]}"}"#)
        case .login: try await api.must("POST", "sys/auth/\(names.approle)", #"{"type":"approle"}"#)
        case .role, .oldRole:
            try await prepared.prepare(names: names).mustSucceed()
            let change = head == .role ? #"{"token_policies":["root-ish"]}"# : #"{"token_num_uses":3}"#
            try await api.must("POST", "auth/\(names.approle)/role/\(names.role)", change)
        }
        let done = try await prepared.prepare(names: names)
        #expect(done.code == 0, "\(done.finished.summary)")
        #expect(!done.changes.isEmpty)
        let postern = try await prepared.server.login(done.exports)
        try await postern.must("POST", "\(names.kv)/data/a/b", #"{"data":{"value":"x"}}"#)
        let policies: [String] = try await postern.must("GET", "auth/token/lookup-self").value("data", "policies")
        #expect(policies == [names.policy])
        let again = try await prepared.prepare(names: names)
        #expect(again.changes == ["issued a secret id"], "\(again.errors)")
    }

    @Test func `a token that may not do this is refused, and nothing is changed`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let weak = try await prepared.api.makeToken(policy: #"path "sys/mounts" { capabilities = ["read"] }"#)
        for token in ["s.wrong", weak] {
            let refused = try await prepared.prepare(names: names, token: token)
            #expect(refused.code == 77, "\(refused.finished.summary)")
            #expect(refused.errors.contains("token"), "\(refused.errors)")
            #expect(refused.exports.isEmpty)
            #expect(!refused.finished.summary.contains(weak))
        }
        let mounts = try await prepared.api.must("GET", "sys/mounts")
        #expect(!String(decoding: mounts.body, as: UTF8.self).contains(names.suffix))
    }

    /// Something else where an engine, a key or a login should go, and the option that goes around it.
    @Test(arguments: [
        ("sys/mounts/KV", #"{"type":"kv","options":{"version":"1"}}"#, "version 1", "--kv-mount"),
        ("sys/mounts/KV", #"{"type":"transit"}"#, "type transit", "--kv-mount"),
        ("sys/mounts/TRANSIT", #"{"type":"kv"}"#, "type kv", "--transit-mount"),
        ("TRANSIT/keys/KEY", #"{"type":"chacha20-poly1305"}"#, "type chacha20-poly1305", "--transit-key"),
        ("TRANSIT/keys/KEY", #"{"exportable":true}"#, "exported", "--transit-key"),
        ("TRANSIT/keys/KEY", #"{"allow_plaintext_backup":true}"#, "plaintext", "--transit-key"),
        ("TRANSIT/keys/KEY", #"{"derived":true}"#, "context", "--transit-key"),
        ("sys/auth/APPROLE", #"{"type":"userpass"}"#, "type userpass", "--approle-mount"),
    ]) func `what is in the way is named, with the option that goes around it`(
        path: String, body: String, words: String, option: String
    ) async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        if path.hasPrefix("TRANSIT") {
            try await prepared.api.must("POST", "sys/mounts/\(names.transit)", #"{"type":"transit"}"#)
        }
        let place = path.replacing("KV", with: names.kv).replacing("TRANSIT", with: names.transit)
            .replacing("KEY", with: names.key).replacing("APPROLE", with: names.approle)
        try await prepared.api.must("POST", place, body)
        let refused = try await prepared.prepare(names: names)
        #expect(refused.code == 78, "\(refused.finished.summary)")
        #expect(refused.errors.contains(words) && refused.errors.contains(option), "\(refused.errors)")
        #expect(refused.exports.isEmpty)
    }

    @Test func `a wrapped secret id is good for one unwrapping, and then for logins`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let folder = prepared.server.file("wrapped-\(names.suffix)")
        let done = try await prepared.prepare(["--credentials-dir", folder, "--wrap-ttl", "10m"], names: names)
            .mustSucceed()
        let file = try #require(done.exports["POSTERN_BACKEND_VAULT_AUTH_WRAPPED_SECRET_ID_FILE"])
        #expect(done.exports["POSTERN_BACKEND_VAULT_AUTH_SECRET_ID_FILE"] == nil)
        let wrapping = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
        let holder = prepared.server.api(wrapping)
        let secretID: String = try await holder.must("POST", "sys/wrapping/unwrap").value("data", "secret_id")
        var exports = done.exports
        exports["POSTERN_BACKEND_VAULT_AUTH_SECRET_ID"] = secretID
        for _ in 1...2 {
            let postern = try await prepared.server.login(exports)
            try await postern.must("GET", "\(names.kv)/config")
        }
        let twice = try await holder.call("POST", "sys/wrapping/unwrap")
        #expect((400..<500).contains(twice.status), "who unwraps second learns that somebody was first")
    }

    @Test func `a token is periodic, an orphan, and kept as long as it works`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let arguments = ["--token", "--credentials-dir", prepared.server.file("token-\(names.suffix)")]
        let done = try await prepared.prepare(arguments, names: names).mustSucceed()
        #expect(done.exports["POSTERN_BACKEND_VAULT_AUTH_METHOD"] == "token")
        let postern = try await prepared.server.login(done.exports)
        let itself = try await postern.must("GET", "auth/token/lookup-self")
        #expect(try itself.value("data", "orphan") == true)
        #expect(try itself.value("data", "period", as: Int.self) == 86_400)
        #expect(try itself.value("data", "policies") == [names.policy])
        try await postern.must("POST", "auth/token/renew-self")
        let again = try await prepared.prepare(arguments, names: names)
        #expect(again.changes.isEmpty && again.exports == done.exports, "\(again.finished.summary)")

        try await postern.must("POST", "auth/token/revoke-self")
        let renewed = try await prepared.prepare(arguments, names: names).mustSucceed()
        #expect(renewed.changes.count == 1, "\(renewed.errors)")
        try await prepared.server.login(renewed.exports).must("GET", "\(names.kv)/config")
        let printed = try await prepared.prepare(["--token"], names: names).mustSucceed()
        try await prepared.server.login(printed.exports).must("GET", "\(names.kv)/config")
    }

    @Test func `a secret id is made anew when it was revoked, or has a third of its time left`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let folder = prepared.server.file("renewed-\(names.suffix)")
        let arguments = ["--credentials-dir", folder, "--secret-id-ttl", "30h"]
        func secretID() throws -> String { try String(contentsOfFile: "\(folder)/secret-id", encoding: .utf8) }
        try await prepared.prepare(arguments, names: names).mustSucceed()
        let first = try secretID()
        try await prepared.api.must(
            "POST", "auth/\(names.approle)/role/\(names.role)/secret-id/destroy",
            #"{"secret_id":"\#(first.trimmingCharacters(in: .newlines))"}"#)
        try await prepared.prepare(arguments, names: names).mustSucceed()
        let second = try secretID()
        #expect(second != first)

        for (hours, isKept) in [(19.0, true), (21.0, false)] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -hours * 3_600)], ofItemAtPath: "\(folder)/secret-id")
            let done = try await prepared.prepare(arguments, names: names).mustSucceed()
            #expect((try secretID() == second) == isKept, "after \(hours) of 30 h")
            _ = try await prepared.server.login(done.exports)
        }
    }

    @Test(.enabled(if: !VaultProcess.isHashiCorp, "namespaces are Enterprise's there"))
    func `a namespace is worked in, and nothing outside it`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let namespace = ["VAULT_NAMESPACE": "team-\(names.suffix)"]
        let missing = try await prepared.prepare(names: names, environment: namespace)
        #expect(missing.code == 1 && missing.errors.contains("namespace"), "\(missing.finished.summary)")
        try await prepared.api.must("POST", "sys/namespaces/team-\(names.suffix)", "{}")
        let done = try await prepared.prepare(names: names, environment: namespace).mustSucceed()
        #expect(done.exports["VAULT_NAMESPACE"] == "team-\(names.suffix)")
        let postern = try await prepared.server.login(done.exports)
        try await postern.must("POST", "\(names.kv)/data/a", #"{"data":{"value":"x"}}"#)
        let outside = try await prepared.api.must("GET", "sys/mounts")
        #expect(!String(decoding: outside.body, as: UTF8.self).contains(names.kv))
    }

    @Test func `what is printed survives a shell, whatever the folder is called`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let folder = prepared.server.file("it's a $(touch x) \"folder\"; \(names.suffix)")
        let done = try await prepared.prepare(["--credentials-dir", folder], names: names).mustSucceed()
        #expect(done.exports["POSTERN_BACKEND_VAULT_AUTH_SECRET_ID_FILE"] == "\(folder)/secret-id")
        _ = try await prepared.server.login(done.exports)
    }

    @Test func `no secret is ever an argument, on a screen or left in a temporary file`() async throws {
        let server = try StackServer()
        defer { server.remove() }
        try server.start()
        let (spies, temporary) = (server.folder.appending(path: "spies"), server.folder.appending(path: "tmp"))
        for folder in [spies, temporary] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        // Programs that note how they are called, and with what in their environment.
        for program in [
            "curl", "jq", "mktemp", "head", "tr", "mkdir", "rm", "ln", "mv", "sync", "cat", "find", "dirname",
        ] {
            let real = try await mustRun("bash", ["-c", "type -P \(program)"]).text.trimmingCharacters(in: .newlines)
            let spy =
                "#!/bin/bash\n{ printf '%s ' \"$0\" \"$@\"; env; } >>'\(server.file("calls"))'\nexec \(real) \"$@\"\n"
            let path = spies.appending(path: program).path
            try spy.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        let environment = [
            "PATH": "\(spies.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")",
            "TMPDIR": temporary.path,
        ]
        let credentials = ["--credentials-dir", server.file("credentials")]
        let initFile = server.file("init.json")
        var runs = [try await server.prepare(["--init-file", initFile] + credentials, environment: environment)]
        let keys = try JSONDecoder().decode(InitFile.self, from: Data(contentsOf: URL(filePath: initFile)))
        // Each a second time too, when what there is already is looked at.
        for further in [[], ["--token"], ["--token"], ["--wrap-ttl", "5m"]] {
            runs.append(
                try await server.prepare(further + credentials, token: keys.root_token, environment: environment))
        }
        var secrets = [keys.root_token] + (keys.keys ?? []) + (keys.keys_base64 ?? [])
        for name in ["secret-id", "token", "wrapped-secret-id"] {
            secrets.append(
                try String(contentsOfFile: "\(credentials[1])/\(name)", encoding: .utf8)
                    .trimmingCharacters(in: .newlines))
        }
        let calls = try String(contentsOfFile: server.file("calls"), encoding: .utf8)
        #expect(calls.contains("curl") && calls.contains("jq"), "the spies were called")
        for secret in secrets {
            #expect(!calls.contains(secret))
            #expect(runs.allSatisfy { $0.code == 0 && !$0.finished.summary.contains(secret) })
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path) == [])
    }
}
