import Foundation
import TestPrograms
import Testing

@Suite(.timeLimit(.minutes(3))) struct FirstFiveMinutesTests {
    /// Runs `postern dev` and pastes what it prints, in a folder that looks like the repository's.
    @Test func `every command that dev prints works when pasted`() async throws {
        let home = try makeTemporaryDirectory("dev")
        defer { try? FileManager.default.removeItem(at: home) }
        let python = URL(filePath: try Places.python())
        for (name, target) in [
            (".venv", python.deletingLastPathComponent().deletingLastPathComponent()),
            ("examples", Places.package.appending(path: "examples")),
        ] {
            try FileManager.default.createSymbolicLink(at: home.appending(path: name), withDestinationURL: target)
        }
        await Turnstile.gateways.enter()
        let directory = home.appending(path: "work").path
        let dev = try LiveProcess(
            try Places.postern(),
            [
                "dev", "--directory", directory, "--set", "grpc.listen=127.0.0.1:0", "--set",
                "admin.listen=127.0.0.1:0",
            ], in: home, errorFile: home.appending(path: "log"))
        do {
            try await dev.wait(toSay: "audit tail --directory \(directory)/audit\n")
            try await pasteEverything(dev.output, in: home)
        } catch {
            dev.signal(SIGKILL)
            await Turnstile.gateways.leave()
            throw error
        }
        dev.signal(SIGTERM)
        let ending = try await dev.ending()
        await Turnstile.gateways.leave()
        #expect(ending.code == 0)
    }

    private func pasteEverything(_ output: String, in home: URL) async throws {
        let commands = Self.commands(in: output)
        #expect(
            commands.map(\.purpose) == [
                "store a secret with the admin API", "read it over gRPC as the service \"gateway\"",
                "read it with a stock gRPC client", "be refused as the service \"billing\"",
                "see all of it in the audit log",
            ])
        var results: [Finished] = []
        for command in commands { results.append(try await run("bash", ["-c", command.text], in: home)) }
        try #require(results.count == 5)

        let stored = try JSON(parsing: results[0].output)
        #expect(stored["version"] == .number(1), "\(results[0].summary)")
        #expect(results[1].code == 0 && results[1].text == "sk-example-1234", "\(results[1].summary)")
        #expect(results[2].code == 0 && results[2].text.contains("value=sk-example-1234"), "\(results[2].summary)")
        #expect(results[3].code == 4 && results[3].text.isEmpty, "\(results[3].summary)")
        #expect(results[3].errors.contains("permission_denied"))

        #expect(results[4].code == 0, "\(results[4].summary)")
        let lines = results[4].text.split(separator: "\n").map(String.init)
        func count(_ words: [String]) -> Int { lines.count { line in words.allSatisfy { line.contains($0) } } }
        let path = "llm/openai/api_key"
        #expect(count(["admin", "secret.write", "\(path)  allow", "attempt"]) == 1, "\(results[4].text)")
        #expect(count(["admin", "secret.write", "\(path)@1", "allow", "ok"]) == 1, "\(results[4].text)")
        #expect(count(["gateway", "secret.read", "\(path)@1", "allow", "ok"]) == 2, "\(results[4].text)")
        #expect(count(["billing", "secret.read", path, "deny", "permission_denied"]) == 1, "\(results[4].text)")
    }

    /// The commands under the comments that say what each is for.
    private static func commands(in output: String) -> [(purpose: String, text: String)] {
        var commands: [(purpose: String, text: String)] = []
        for line in output.split(separator: "\n").map({ $0.trimmingCharacters(in: .whitespaces) }) {
            if line.hasPrefix("# ") {
                commands.append((String(line.dropFirst(2)), ""))
            } else if !commands.isEmpty {
                commands[commands.count - 1].text += line + "\n"
            }
        }
        return commands
    }
}
