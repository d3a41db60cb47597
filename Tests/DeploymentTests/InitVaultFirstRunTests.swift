import Foundation
import TestPrograms
import Testing
import VaultServers

/// init-vault.sh against a server with nothing in it.
@Suite(.timeLimit(.minutes(5))) struct InitVaultFirstRunTests {
    @Test func `a server with nothing in it is prepared, and a second run changes nothing`() async throws {
        let server = try StackServer()
        defer { server.remove() }
        try server.start()
        let (initFile, credentials) = (server.file("made/init.json"), server.file("credentials"))
        let arguments = ["--init-file", initFile, "--credentials-dir", credentials]
        // A token left over from another server is not taken for one of this.
        let first = try await server.prepare(arguments, token: "s.of-another-server")
        #expect(first.code == 0, "\(first.finished.summary)")
        #expect(first.errors.contains("WARNING") && first.errors.contains("production"), "one key is no way to live")
        #expect(
            first.exports == [
                "POSTERN_BACKEND_KIND": "vault", "VAULT_ADDR": server.address, "VAULT_CACERT": server.authorityFile,
                "POSTERN_BACKEND_VAULT_MOUNT": "secret", "POSTERN_BACKEND_VAULT_AUTH_METHOD": "approle",
                "POSTERN_BACKEND_VAULT_AUTH_MOUNT": "approle",
                "POSTERN_BACKEND_VAULT_AUTH_ROLE_ID_FILE": "\(credentials)/role-id",
                "POSTERN_BACKEND_VAULT_AUTH_SECRET_ID_FILE": "\(credentials)/secret-id",
                "POSTERN_ENVELOPE_KEYS": "transit=transit/postern",
            ])
        for file in [initFile, "\(credentials)/role-id", "\(credentials)/secret-id"] {
            #expect(try permissions(file) == 0o600, "\(file)")
        }
        let keys = try JSONDecoder().decode(InitFile.self, from: Data(contentsOf: URL(filePath: initFile)))
        let root = server.api(keys.root_token)
        let before = try await state(root, files: [initFile, "\(credentials)/role-id", "\(credentials)/secret-id"])
        _ = try await server.login(first.exports)

        let second = try await server.prepare(arguments)
        #expect(second.code == 0, "\(second.finished.summary)")
        #expect(second.changes.isEmpty, "\(second.errors)")
        #expect(second.finished.output == first.finished.output)
        let after = try await state(root, files: [initFile, "\(credentials)/role-id", "\(credentials)/secret-id"])
        #expect(before == after)
    }

    @Test func `a server that was restarted is unsealed with as many keys as it wants`() async throws {
        let server = try StackServer()
        defer { server.remove() }
        try server.start()
        let initFile = ["--init-file", server.file("init.json")]
        let credentials = ["--credentials-dir", server.file("credentials")]
        let first = try await server.prepare(initFile + credentials + ["--shares", "5", "--threshold", "3"])
            .mustSucceed()
        let keys = try JSONDecoder().decode(InitFile.self, from: Data(contentsOf: URL(filePath: initFile[1])))
        #expect(keys.keys_base64?.count == 5)

        server.stop()
        try server.start()
        let without = try await server.prepare(credentials, token: keys.root_token)
        #expect(without.code == 69, "\(without.finished.summary)")
        #expect(without.errors.contains("sealed") && without.errors.contains("--init-file"))
        let again = try await server.prepare(initFile + credentials)
        #expect(again.code == 0, "\(again.finished.summary)")
        #expect(again.changes == ["unsealed \(server.address)"])
        #expect(again.exports == first.exports)
        _ = try await server.login(again.exports)
    }

    @Test func `keys of another server do not open it, and that is said`() async throws {
        let (server, other) = (try StackServer(), try StackServer())
        defer {
            server.remove()
            other.remove()
        }
        for one in [server, other] {
            try one.start()
            try await one.prepare(["--init-file", one.file("init.json")]).mustSucceed()
        }
        server.stop()
        try server.start()
        let wrong = try await server.prepare(["--init-file", other.file("init.json")])
        #expect(wrong.code == 78, "\(wrong.finished.summary)")
        #expect(wrong.errors.contains("do not open"))
    }

    @Test(.enabled(if: !VaultProcess.isHashiCorp, "only OpenBao unseals itself with a key from its configuration"))
    func `a server that unseals itself is initialised with recovery keys`() async throws {
        let key = Data((0..<32).map { UInt8($0) }).base64EncodedString()
        let server = try StackServer(
            further: "seal \"static\" {\n  current_key_id = \"test\"\n  current_key = \"\(key)\"\n}\n")
        defer { server.remove() }
        try server.start()
        let initFile = server.file("init.json")
        let first = try await server.prepare(["--init-file", initFile])
        #expect(first.code == 0, "\(first.finished.summary)")
        let keys = try JSONDecoder().decode(InitFile.self, from: Data(contentsOf: URL(filePath: initFile)))
        #expect(keys.recovery_keys?.count == 1)

        server.stop()
        try server.start()
        let again = try await server.prepare(token: keys.root_token)
        #expect(again.code == 0, "\(again.finished.summary)")
    }

    @Test func `nothing is initialised unless its keys have a file to go to that was not there`() async throws {
        let server = try StackServer()
        defer { server.remove() }
        try server.start()
        try "keep me".write(toFile: server.file("there.json"), atomically: true, encoding: .utf8)
        for (arguments, code, words) in [
            ([], 78, "--init-file"), (["--init-file", server.file("there.json")], 78, "there.json exists"),
            (["--init-file", "/dev/null/init.json"], 73, "nothing was initialised"),
            (["--init-file", "/dev/full"], 78, "/dev/full exists"),
        ] as [([String], Int32, String)] {
            let refused = try await server.prepare(arguments)
            #expect(refused.code == code, "\(arguments): \(refused.finished.summary)")
            #expect(refused.errors.contains(words), "\(arguments): \(refused.errors)")
            #expect(refused.exports.isEmpty)
            let health = try await server.api("").call("GET", "sys/health")
            #expect(health.status == 501, "it is still not initialised")
        }
        #expect(try String(contentsOfFile: server.file("there.json"), encoding: .utf8) == "keep me")
    }

    @Test func `a server that comes up late is waited for`() async throws {
        let server = try StackServer()
        defer { server.remove() }
        let waiting = try LiveProcess(
            Preparation.script, ["--init-file", server.file("init.json")],
            environment: ["VAULT_ADDR": server.address, "VAULT_CACERT": server.authorityFile],
            errorFile: server.folder.appending(path: "progress"))
        try await eventually("it waits", within: .seconds(120)) {
            try String(contentsOfFile: server.file("progress"), encoding: .utf8).contains("waiting for")
        }
        try server.start()
        let ending = try await waiting.ending(within: .seconds(150))
        let progress = try String(contentsOfFile: server.file("progress"), encoding: .utf8)
        #expect(ending.code == 0, "\(progress)")
    }

    private func permissions(_ file: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    }

    /// All that a second run could change.
    private func state(_ root: VaultAPI, files: [String]) async throws -> [String] {
        var state: [String] = []
        for path in [
            "sys/mounts", "sys/auth", "sys/policies/acl/postern", "transit/keys/postern", "secret/config",
            "auth/approle/role/postern", "auth/approle/role/postern/role-id",
        ] {
            let data: [String: Any] = try await root.must("GET", path).value("data")
            state.append(
                String(decoding: try JSONSerialization.data(withJSONObject: data, options: .sortedKeys), as: UTF8.self))
        }
        let identifiers: [String] = try await root.must("LIST", "auth/approle/role/postern/secret-id")
            .value("data", "keys")
        state.append(identifiers.sorted().joined())
        for file in files {
            let modified = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate]
            state.append("\(modified ?? "") \(try String(contentsOfFile: file, encoding: .utf8))")
        }
        return state
    }
}
