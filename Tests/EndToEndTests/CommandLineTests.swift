import Foundation
import PosternProtocol
import TestPrograms
import Testing

/// The command as people and scripts use it.
@Suite(.timeLimit(.minutes(3))) struct CommandLineTests {
    @Test func `every exit code is the one that the help documents`() async throws {
        try await withGateway { gateway in
            let help = try await gateway.command(["--help"], as: "operator")
            for code in [
                "0 done", "2 invalid argument", "3 not found", "4 permission denied", "5 unauthenticated",
                "6 conflict", "7 unavailable", "8 integrity", "64 wrong usage", "78 wrong configuration",
            ] {
                #expect(help.text.replacing("\n", with: " ").contains(code), "\(help.text)")
            }
            try await gateway.pki.issueOdd("nameless", alternativeNames: "")
            let value = Data("x".utf8)
            for (code, arguments, client) in [
                (0, ["put", "llm/a"], "operator"), (0, ["get", "llm/a"], "gateway"), (2, ["get", "../x"], "gateway"),
                (3, ["get", "llm/none"], "gateway"), (4, ["get", "llm/a"], "billing"),
                (5, ["get", "llm/a"], "nameless"), (6, ["put", "llm/a", "--expect", "7"], "operator"),
                (0, ["delete", "llm/a"], "operator"), (3, ["get", "llm/a"], "gateway"),
                (0, ["undelete", "llm/a", "--versions", "1"], "operator"),
                (0, ["destroy", "llm/a", "--versions", "1"], "operator"), (3, ["get", "llm/a"], "gateway"),
                (0, ["remove", "llm/a"], "operator"), (64, ["get"], "operator"), (64, ["fly"], "operator"),
                (7, ["get", "llm/a", "--address", "127.0.0.1:1"], "operator"),
                (78, ["config", "check", "--set", "no.such=1"], "operator"),
                (0, ["version"], "operator"),
            ] as [(Int32, [String], String)] {
                let result = try await gateway.command(arguments, as: client, input: value)
                #expect(result.code == code, "\(arguments): \(result.summary)")
                #expect(code == 0 || !result.errors.isEmpty, "\(arguments) says why")
            }
        }
    }

    @Test func `a Vault token is sent from the file that is named and from nowhere else`() async throws {
        try await withGateway { gateway in
            _ = try await gateway.command(["put", "llm/a"], as: "operator", input: Data("x".utf8))
            // A gateway that passes no tokens through refuses every call with one, which shows whether it was sent.
            let unasked = try await gateway.command(
                ["get", "llm/a"], as: "gateway", environment: ["VAULT_TOKEN": "hvs.unasked"])
            #expect(unasked.code == 0, "\(unasked.summary)")
            try gateway.write("hvs.canary-4711\r\n", to: "token")
            try gateway.write("two words\n", to: "words")
            try gateway.write("\n", to: "empty")
            for (arguments, client) in [
                (["get", "llm/a"], "gateway"), (["put", "llm/a"], "operator"), (["list"], "operator"),
                (["describe", "llm/a"], "gateway"), (["delete", "llm/a"], "operator"),
                (["undelete", "llm/a", "--versions", "1"], "operator"),
                (["destroy", "llm/a", "--versions", "1"], "operator"), (["remove", "llm/a"], "operator"),
            ] {
                let refused = try await gateway.command(
                    arguments + ["--vault-token-file", "token"], as: client, input: Data("x".utf8))
                #expect(refused.code == 2, "\(arguments): \(refused.summary)")
                #expect(refused.errors.contains("passes no tokens through"), "\(refused.summary)")
                #expect(!refused.errors.contains("canary"))
            }
            let piped = try await gateway.command(
                ["get", "llm/a", "--vault-token-file", "/dev/stdin"], as: "gateway", input: Data("hvs.piped".utf8))
            #expect(piped.errors.contains("passes no tokens through"), "\(piped.summary)")
            for file in ["words", "empty", "missing"] {
                let wrong = try await gateway.command(["get", "llm/a", "--vault-token-file", file], as: "gateway")
                #expect(wrong.code == 2, "\(wrong.summary)")
                #expect(!wrong.errors.contains("two words"))
            }
            #expect(try gateway.auditRecords().count { $0.record["outcome"]?.text == "invalid_argument" } == 9)
            #expect(try await gateway.command(["get", "llm/a"], as: "gateway").code == 0)
            for name in try FileManager.default.subpathsOfDirectory(atPath: gateway.auditDirectory) {
                let file = URL(filePath: gateway.auditDirectory).appending(path: name)
                guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
                #expect(try Data(contentsOf: file).range(of: Data("canary-4711".utf8)) == nil)
            }
            #expect(!gateway.log.contains("canary-4711"))
        }
    }

    @Test func `what a damaged audit log is found to be has its own exit code`() async throws {
        try await withGateway { gateway in
            let arguments = ["audit", "verify", "--directory", gateway.auditDirectory]
            #expect(try await gateway.command(arguments, as: "operator").code == 0)
            _ = try await gateway.end(by: SIGTERM)
            let segments = try FileManager.default.contentsOfDirectory(atPath: gateway.auditDirectory)
            let file = try #require(segments.filter { $0.hasSuffix(".wal") }.sorted().first)
            let path = URL(filePath: gateway.auditDirectory).appending(path: file)
            var bytes = try Data(contentsOf: path)
            let place = try #require(bytes.firstRange(of: Data("gateway.start".utf8)))
            bytes[place.lowerBound] ^= 1
            try bytes.write(to: path)
            let result = try await gateway.command(arguments, as: "operator")
            #expect(result.code == 8, "\(result.summary)")
            #expect(result.errors.contains(file))
        }
    }

    @Test func `every command's JSON parses`() async throws {
        try await withGateway { gateway in
            for arguments in [
                ["put", "llm/a"], ["get", "llm/a"], ["list"], ["list", "--recursive"], ["describe", "llm/a"],
                ["delete", "llm/a"], ["undelete", "llm/a", "--versions", "1"],
                ["policy", "explain", "gateway", "read", "llm/a", "--file", "policy.yaml"],
                ["policy", "matrix", "--file", "policy.yaml"], ["audit", "verify", "--directory", "audit"],
                ["version"], ["remove", "llm/a"],
            ] {
                let result = try await gateway.command(
                    arguments + ["--output", "json"], as: "operator", input: Data("x".utf8))
                #expect(result.code == 0, "\(result.summary)")
                _ = try JSON(parsing: result.output)
            }
            let tail = try await gateway.command(
                ["audit", "tail", "--count", "1000", "--output", "json", "--directory", "audit"], as: "operator")
            let lines = try tail.text.split(separator: "\n").map { try JSON(parsing: Data($0.utf8)) }
            #expect(lines.map { $0["index"]?.number } == Array(0..<lines.count))
            #expect(lines.map { $0["record"] } == (try gateway.auditRecords().map(\.record)))
        }
    }

    @Test func `a value arrives byte for byte, less one final newline unless that is to be kept`() async throws {
        try await withGateway { gateway in
            let bytes = Data((0...255).map { UInt8($0) } + [0, 10, 13, 10, 10])
            let file = gateway.file("value")
            for (arguments, input, wanted) in [
                (["put", "v"], bytes, bytes.dropLast()), (["put", "v", "--keep-newline"], bytes, bytes),
                (["put", "v"], Data("x\r\n".utf8), Data("x\r".utf8)), (["put", "v"], Data("x".utf8), Data("x".utf8)),
                (["put", "v", "--file", file], bytes, bytes.dropLast()),
                (["put", "v", "--file", file, "--keep-newline"], bytes, bytes),
                (["put", "v", "--insecure-value", "given"], Data(), Data("given".utf8)),
                (["put", "v", "--field-file", "value=\(file)", "--keep-newline"], bytes, bytes),
            ] as [([String], Data, Data)] {
                try input.write(to: URL(filePath: file))
                let put = try await gateway.command(arguments, as: "operator", input: input)
                #expect(put.code == 0, "\(put.summary)")
                let got = try await gateway.command(["get", "v"], as: "operator")
                #expect(got.output == wanted, "\(arguments)")
            }
            let json = try await gateway.command(["get", "v", "--output", "json"], as: "operator")
            let field = try JSON(parsing: json.output)["fields"]?[0]
            #expect(field?["value_base64"]?.text == bytes.base64EncodedString())
        }
    }

    @Test func `a wrong configuration is refused with the file, the line and the key`() async throws {
        try await withGateway { gateway in
            let good = try String(contentsOfFile: gateway.file("postern.yaml"), encoding: .utf8)
            try gateway.write(good + "cache:\n  ttl: soon\n  colour: red\nnonsense: 1\n", to: "bad.yaml")
            let lines = good.split(separator: "\n", omittingEmptySubsequences: false).count
            for verb in [["config", "check"], ["serve"]] {
                let result = try await gateway.command(verb + ["--config", gateway.file("bad.yaml")], as: "operator")
                #expect(result.code == 78, "\(result.summary)")
                for words in [
                    "bad.yaml:\(lines + 1)", "cache.ttl", "bad.yaml:\(lines + 2)", "cache.colour", "nonsense",
                ] {
                    #expect(result.errors.contains(words), "\(words): \(result.errors)")
                }
            }
            let checked = try await run(
                try Places.postern(), ["config", "check", "--config", gateway.file("postern.yaml")],
                environment: ["ADMIN_KEY": gateway.adminKey])
            #expect(checked.code == 0, "\(checked.summary)")
            try gateway.write("version: 1\nrules: [{id: x, allow: [fly]}]\n", to: "policy.yaml")
            let policy = try await run(
                try Places.postern(), ["config", "check", "--config", gateway.file("postern.yaml")],
                environment: ["ADMIN_KEY": gateway.adminKey])
            #expect(policy.code == 78)
            #expect(policy.errors.contains("policy.yaml:2"), "\(policy.summary)")
        }
    }

    @Test func `a second gateway on the same files is refused with a clear message`() async throws {
        try await withGateway { gateway in
            let environment = ["ADMIN_KEY": gateway.adminKey]
            let arguments = ["serve", "--config", gateway.file("postern.yaml")]
            let second = try await run(try Places.postern(), arguments, environment: environment)
            #expect(second.code != 0 && !second.wasSignalled)
            #expect(
                second.errors.contains(gateway.auditDirectory) && second.errors.contains("another"), "\(second.summary)"
            )
            // With an audit log of its own it is still the same store.
            let third = try await run(
                try Places.postern(), arguments + ["--set", "audit.directory=\(gateway.file("audit2"))"],
                environment: environment)
            #expect(third.code != 0 && !third.wasSignalled)
            #expect(third.errors.contains("secrets.sqlite") && third.errors.contains("another"), "\(third.summary)")
            _ = try await gateway.client { try await $0.put("a", "x") }
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `a completion script is made for each shell`(shell: String) async throws {
        let result = try await run(try Places.postern(), ["--generate-completion-script", shell])
        #expect(result.code == 0)
        #expect(result.text.contains("postern") && result.text.contains("undelete"))
        if shell == "bash" { try await mustRun("bash", ["-n"], input: result.output) }
    }

    @Test func `policy is explained and printed by the command as the gateway enforces it`() async throws {
        try await withGateway { gateway in
            let file = ["--file", gateway.file("policy.yaml")]
            let allowed = try await gateway.command(
                ["policy", "explain", "gateway", "read", "llm/a"] + file, as: "operator")
            #expect(allowed.code == 0 && allowed.text.contains("gateway-reads-llm"), "\(allowed.summary)")
            let denied = try await gateway.command(
                ["policy", "explain", "billing", "read", "llm/a"] + file, as: "operator")
            #expect(denied.code == 4, "\(denied.summary)")
            let matrix = try await gateway.command(["policy", "matrix"] + file, as: "operator")
            #expect(matrix.text.contains("billing-reads-its-own"), "\(matrix.summary)")
        }
    }

    @Test func `a message that cannot be written stops nobody`() async throws {
        let result = try await run(
            "bash", ["-c", "\"$0\" audit verify --directory /nonexistent 2>/dev/full", try Places.postern()])
        #expect(!result.wasSignalled)
        #expect(result.code == 1, "\(result.summary)")
    }
}
