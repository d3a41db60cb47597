import Foundation
import Glibc
import TestPrograms
import Testing
import VaultServers

/// The README's first five minutes, as written. They use the ports that `make run` uses.
@Suite(.timeLimit(.minutes(10)), .serialized) struct ReadmeTests {
    private static let marker = "<!-- first-five-minutes: a test runs these lines as they are -->\n```sh\n"

    /// Whether a TCP port of the loopback interface can be bound.
    private static func isFree(_ port: UInt16) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var yes: CInt = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    @Test(.enabled(if: isFree(7_443) && isFree(8_443), "something else listens on 7443 or 8443, which the README uses"))
    func `the first five minutes of the README work as written`() async throws {
        let home = try makeTemporaryDirectory("readme")
        defer { try? FileManager.default.removeItem(at: home) }
        let postern = URL(filePath: try Places.postern())
        let venv = URL(filePath: try Places.python()).deletingLastPathComponent().deletingLastPathComponent()
        try FileManager.default.createDirectory(at: home.appending(path: ".build"), withIntermediateDirectories: true)
        for (name, target) in [
            (".build/debug", postern.deletingLastPathComponent()), (".venv", venv),
            ("examples", Places.package.appending(path: "examples")),
        ] {
            try FileManager.default.createSymbolicLink(at: home.appending(path: name), withDestinationURL: target)
        }
        let readme = try String(contentsOf: Places.package.appending(path: "README.md"), encoding: .utf8)
        let start = try #require(readme.range(of: Self.marker))
        let end = try #require(readme.range(of: "```", range: start.upperBound..<readme.endIndex))
        let commands = String(readme[start.upperBound..<end.lowerBound])

        await Turnstile.gateways.enter()
        let dev = try LiveProcess(postern.path, ["dev"], in: home, errorFile: home.appending(path: "log"))
        let result: Result<Finished, any Error>
        do {
            try await dev.wait(toSay: "audit tail --directory .postern/audit\n")
            result = .success(try await run("bash", ["-euo", "pipefail", "-c", commands], in: home))
        } catch {
            result = .failure(error)
        }
        dev.signal(SIGTERM)
        _ = try await dev.ending()
        await Turnstile.gateways.leave()

        let finished = try result.get()
        #expect(finished.code == 0, "\(finished.summary)")
        #expect(finished.text.contains("\"version\":1"))
        #expect(finished.text.contains("sk-example-1234"))
        #expect(finished.text.contains("value=sk-example-1234"))
        #expect(finished.text.contains("refused with exit code 4"))
        #expect(finished.text.contains("denied: billing may not read llm/openai/api_key"))
        #expect(finished.text.contains("whole: "), "\(finished.summary)")
    }

    private static let production =
        "<!-- production: a test runs these lines as they are, in front of a cluster of three -->\n```sh\n"

    @Test(.enabled(if: isFree(7_443) && isFree(8_443), "something else listens on 7443 or 8443, which the README uses"))
    func `the production section of the README works as written`() async throws {
        let home = try makeTemporaryDirectory("readme")
        defer { try? FileManager.default.removeItem(at: home) }
        let bin = home.appending(path: "bin")
        try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
        for (link, target) in [
            (bin.appending(path: "postern"), try Places.postern()),
            (bin.appending(path: "vault"), try VaultProcess.binary()),
            (home.appending(path: "config"), Places.package.path + "/config"),
            (home.appending(path: "deploy"), Places.package.path + "/deploy"),
            (home.appending(path: "init-vault.sh"), Places.package.path + "/init-vault.sh"),
        ] {
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: target)
        }
        let readme = try String(contentsOf: Places.package.appending(path: "README.md"), encoding: .utf8)
        let start = try #require(readme.range(of: Self.production))
        let end = try #require(readme.range(of: "```", range: start.upperBound..<readme.endIndex))
        let commands = String(readme[start.upperBound..<end.lowerBound])

        let cluster = try await Cluster()
        defer { cluster.stop() }
        let leader = try await cluster.leader()
        await Turnstile.gateways.enter()
        // What runs in the background ends with the shell.
        let script = "trap 'kill $(jobs -p)' EXIT\n" + commands
        let result: Result<Finished, any Error>
        do {
            result = .success(
                try await run(
                    "bash", ["-euo", "pipefail", "-c", script],
                    environment: [
                        "PATH": bin.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? ""),
                        "HOME": home.path, "VAULT_ADDR": leader.address, "VAULT_TOKEN": cluster.rootToken,
                        "VAULT_CACERT": cluster.authority,
                    ], in: home))
        } catch {
            result = .failure(error)
        }
        await Turnstile.gateways.leave()
        let finished = try result.get()
        #expect(finished.code == 0, "\(finished.summary)")
        #expect(finished.text.contains("sk-from-vault"), "\(finished.summary)")
        #expect(finished.text.hasSuffix("from-postern"), "\(finished.summary)")
    }

    @Test(.enabled(if: isFree(7_443) && isFree(8_443), "something else listens on 7443 or 8443, which the page uses"))
    func `the page on HSMs works as written, block by block`() async throws {
        let home = try makeTemporaryDirectory("hsm-page")
        defer { try? FileManager.default.removeItem(at: home) }
        let bin = home.appending(path: "bin")
        try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: bin.appending(path: "postern").path, withDestinationPath: try Places.postern())
        let page = try String(contentsOf: Places.package.appending(path: "docs/hsm.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```sh\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }
        #expect(blocks.count >= 8)
        // What runs in the background ends with the shell.
        let script = "trap 'kill $(jobs -p) || :' EXIT\n" + blocks.joined() + "trap - EXIT\n"
        await Turnstile.gateways.enter()
        let result: Result<Finished, any Error>
        do {
            let path = bin.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
            result = .success(
                try await run(
                    "bash", ["-euo", "pipefail", "-c", script], environment: ["PATH": path, "HOME": home.path], in: home
                ))
        } catch {
            result = .failure(error)
        }
        await Turnstile.gateways.leave()
        let finished = try result.get()
        #expect(finished.code == 0, "\(finished.text.suffix(2_000)) \(finished.errors.suffix(2_000))")
        #expect(finished.text.contains("would be made: AES with 256 bits"))
        #expect(finished.text.components(separatedBy: "sk-in-the-hsm").count == 3, "it is read before and after")
        #expect(finished.text.contains("ok      pkcs11:token=prod;object=postern-kek-2: opened 2, failed 0, missing 0"))
        let log = try String(contentsOf: home.appending(path: "log"), encoding: .utf8)
        #expect(log.contains("reloaded gRPC TLS files"))
        let pin = try String(contentsOf: home.appending(path: "pin"), encoding: .utf8)
        #expect(!log.contains(pin.trimmingCharacters(in: .newlines)))
    }
}
