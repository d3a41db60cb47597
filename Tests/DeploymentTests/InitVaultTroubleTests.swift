import Foundation
import TestPrograms
import Testing
import VaultServers

/// init-vault.sh against what is not a server in order, and with options that make no sense.
@Suite(.timeLimit(.minutes(5))) struct InitVaultTroubleTests {
    private static let token = "s.canary-of-a-token"

    /// Starts the hostile server, runs init-vault.sh against it, and hands over what it had been sent.
    private func meet(_ hostile: String, timeout: Int = 3) async throws -> (Preparation, received: String) {
        let folder = try makeTemporaryDirectory("hostile")
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/hostile.py")
        let server = try LiveProcess(
            try Places.python(), ["-B", script.path, hostile], errorFile: folder.appending(path: "log"))
        defer { server.signal(SIGKILL) }
        try await server.wait(toSay: ".\n")
        let port = try #require(server.output.split(separator: "\n").first?.split(separator: "=").last?.dropLast())
        let met = try await Preparation.run(
            ["--timeout", "\(timeout)"],
            environment: ["VAULT_ADDR": "http://127.0.0.1:\(port)", "VAULT_TOKEN": Self.token])
        return (met, server.output)
    }

    @Test(arguments: [
        ("silent", 69, "did not get it done within 3 s"), ("endless", 69, "more than can be the answer"),
        ("slow", 69, "did not get it done within 3 s"), ("closing", 69, "did not get it done within 3 s"),
        ("broken", 69, "502"), ("page", 1, "not what Vault or OpenBao answer"),
        ("other", 1, "not as Vault or OpenBao do"),
        ("redirecting", 69, "standby"), ("escaping", 1, "owned"), ("injecting", 1, "cannot be the role id"),
    ]) func `a server that is not one gets a clear error and no more time than it was given`(
        hostile: String, code: Int, words: String
    ) async throws {
        let (met, received) = try await meet(
            hostile, timeout: ["silent", "slow", "closing"].contains(hostile) ? 3 : 20)
        #expect(met.code == Int32(code), "\(met.finished.summary)")
        #expect(met.errors.contains(words), "\(met.errors)")
        #expect(met.finished.output.isEmpty)
        #expect(!met.errors.contains(Self.token))
        #expect(!met.errors.unicodeScalars.contains { $0.value < 32 && $0 != "\n" }, "nothing that moves a cursor")
        #expect(!received.contains("/stolen"), "no redirect is followed, for it would take the token along")
    }

    @Test(arguments: ["http", "https"]) func `a socket that accepts and is silent is given up`(scheme: String)
        async throws
    {
        let port = try freePort()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let listens = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 && listen(listener, 16) == 0
            }
        }
        try #require(listens)
        let met = try await Preparation.run(
            ["--timeout", "2"],
            environment: ["VAULT_ADDR": "\(scheme)://127.0.0.1:\(port)", "VAULT_TOKEN": Self.token])
        #expect(met.code == 69, "\(met.finished.summary)")
        #expect(met.errors.contains("within 2 s"), "\(met.errors)")
    }

    @Test func `a certificate that does not verify is refused at once, and what to do is said`() async throws {
        let prepared = try await PreparedServer.shared
        let other = try StackServer()
        defer { other.remove() }
        for environment in [["VAULT_CACERT": ""], ["VAULT_CACERT": other.authorityFile]] {
            let met = try await prepared.server.prepare(token: Self.token, environment: environment)
            #expect(met.code == 69, "\(met.finished.summary)")
            #expect(met.errors.contains("VAULT_CACERT") && !met.errors.contains("waiting"), "\(met.errors)")
        }
    }

    @Test(
        arguments: [
            ([:], ["--credentials-dir", "x"], "VAULT_ADDR"),
            (["VAULT_ADDR": "http://vault.example.org:8200"], [], "in the clear"),
            (["VAULT_ADDR": "https://user:pw@vault.example.org"], [], "VAULT_ADDR"),
            (["VAULT_ADDR": "vault.example.org:8200"], [], "VAULT_ADDR"),
            (["VAULT_TOKEN": "s.x\ny"], [], "VAULT_TOKEN"), (["VAULT_NAMESPACE": "a\nb: c"], [], "VAULT_NAMESPACE"),
            (["VAULT_CACERT": "/no/such.pem"], [], "/no/such.pem"), ([:], ["--fly"], "--fly"), ([:], ["fly"], "fly"),
            ([:], ["--kv-mount"], "--kv-mount needs"), ([:], ["--kv-mount", "../sys"], "--kv-mount"),
            ([:], ["--kv-mount", "a\"b"], "--kv-mount"), ([:], ["--transit-key", "a/b"], "--transit-key"),
            ([:], ["--policy", "root"], "--policy"), ([:], ["--policy", "Postern"], "--policy"),
            ([:], ["--shares", "3"], "--threshold"), ([:], ["--shares", "2", "--threshold", "3"], "--threshold"),
            ([:], ["--shares", "0"], "--shares"), ([:], ["--secret-id-ttl", "soon"], "--secret-id-ttl"),
            ([:], ["--timeout", "0"], "--timeout"), ([:], ["--wrap-ttl", "5m"], "--credentials-dir"),
            ([:], ["--wrap-ttl", "5m", "--token", "--credentials-dir", "x"], "--token"),
            (["INIT_VAULT_KV_MOUNT": "/"], [], "--kv-mount"),
        ] as [([String: String], [String], String)]) func `wrong usage is told before anything is asked`(
            environment: [String: String], arguments: [String], words: String
        ) async throws
    {
        var variables = ["VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": "s.x"].merging(environment) { $1 }
        if words == "VAULT_ADDR" && environment.isEmpty { variables["VAULT_ADDR"] = "" }
        let met = try await Preparation.run(arguments, environment: variables)
        #expect(met.code == 64, "\(met.finished.summary)")
        #expect(met.errors.contains(words), "\(met.errors)")
        #expect(met.finished.output.isEmpty)
    }

    @Test func `the help names each option that there is, and each exit code`() async throws {
        let help = try await run(Preparation.script, ["--help"])
        #expect(help.code == 0 && help.errors.isEmpty)
        let script = try String(contentsOfFile: Preparation.script, encoding: .utf8)
        let options = script.matches(of: /\n +(--[a-z-]+)\) [a-z_]+=/).map { String($0.1) }
        #expect(options.count > 10)
        for option in options { #expect(help.text.contains("    \(option) "), "\(option)") }
        let codes = try #require(script.firstMatch(of: /readonly usage_error=.*/)).0.matches(of: /=([0-9]+)/)
        #expect(codes.count == 5)
        for code in codes { #expect(help.text.contains(" \(code.1) "), "\(code.1)") }
    }

    @Test func `options can be given in the environment, and the command line goes over it`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let environment = [
            "INIT_VAULT_KV_MOUNT": names.kv, "INIT_VAULT_TRANSIT_MOUNT": "never-\(names.suffix)",
            "INIT_VAULT_TRANSIT_KEY": names.key, "INIT_VAULT_POLICY": names.policy,
            "INIT_VAULT_APPROLE_MOUNT": names.approle, "INIT_VAULT_ROLE": names.role,
        ]
        let done = try await prepared.server.prepare(
            ["--transit-mount=\(names.transit)"], token: prepared.rootToken, environment: environment
        ).mustSucceed()
        #expect(done.exports["POSTERN_BACKEND_VAULT_MOUNT"] == names.kv)
        #expect(done.exports["POSTERN_BACKEND_VAULT_AUTH_MOUNT"] == names.approle)
        try await prepared.server.login(done.exports).must("GET", "\(names.transit)/keys/\(names.key)")
    }
}
