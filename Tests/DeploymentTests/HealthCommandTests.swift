import Foundation
import TestPrograms
import Testing
import VaultServers

/// `postern health`, which containers are checked with.
@Suite(.timeLimit(.minutes(3))) struct HealthCommandTests {
    private func health(_ arguments: [String], in folder: URL) async throws -> Finished {
        try await run(try Places.postern(), ["health"] + arguments, in: folder)
    }

    @Test func `it tells a gateway that is ready from one that is not, is unknown or is not there`() async throws {
        let folder = try makeTemporaryDirectory("health")
        defer { try? FileManager.default.removeItem(at: folder) }
        let free = ["grpc.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0"].flatMap { ["--set", $0] }
        let gateway = try LiveProcess(
            try Places.postern(), ["dev", "--directory", "dev"] + free, in: folder,
            errorFile: folder.appending(path: "log"))
        defer { gateway.signal(SIGKILL) }
        try await gateway.wait(toSay: "Try it in another terminal")
        let address = try #require(gateway.output.firstMatch(of: /https:\/\/([0-9.:]+[0-9])/)).1
        let trusted = ["--ca", "dev/pki/ca.pem"]

        let ready = try await health(trusted + ["--address", "\(address)"], in: folder)
        #expect(ready.code == 0 && ready.text.contains("ready"), "\(ready.summary)")
        let json = try await health(trusted + ["--address", "\(address)", "--output", "json"], in: folder)
        #expect(json.text.contains("\"ready\":true"), "\(json.summary)")

        try await mustRun(try Places.postern(), ["pki", "init", "--directory", "other"], in: folder)
        let untrusted = try await health(["--ca", "other/ca.pem", "--address", "\(address)"], in: folder)
        #expect(untrusted.code == 7, "\(untrusted.summary)")
        let missing = try await health(["--ca", "none.pem", "--address", "\(address)"], in: folder)
        #expect(missing.code == 2 && missing.errors.contains("none.pem"), "\(missing.summary)")

        gateway.signal(SIGSTOP)
        let silent = try await health(trusted + ["--address", "\(address)", "--timeout", "0.5"], in: folder)
        #expect(silent.code == 7 && silent.errors.contains("\(address)"), "\(silent.summary)")
        gateway.signal(SIGCONT)
        gateway.signal(SIGTERM)
        _ = try await gateway.ending()
        let gone = try await health(trusted + ["--address", "\(address)"], in: folder)
        #expect(gone.code == 7, "\(gone.summary)")
    }

    @Test func `a gateway that says that it is not ready is not`() async throws {
        let folder = try makeTemporaryDirectory("unready")
        defer { try? FileManager.default.removeItem(at: folder) }
        let postern = try Places.postern()
        try await mustRun(postern, ["pki", "init", "--directory", "pki"], in: folder)
        try await mustRun(
            postern, ["pki", "issue", "server", "--directory", "pki", "--server-ip", "127.0.0.1"], in: folder)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/unready.py")
        let server = try LiveProcess(
            try Places.python(), ["-B", script.path, "pki/server.pem", "pki/server.key"], in: folder,
            errorFile: folder.appending(path: "log"))
        defer { server.signal(SIGKILL) }
        try await server.wait(toSay: ".\n")
        let port = server.output.filter(\.isNumber)
        let unready = try await health(["--ca", "pki/ca.pem", "--address", "127.0.0.1:\(port)"], in: folder)
        #expect(unready.code == 7, "\(unready.summary)")
        #expect(unready.text.contains("audit") && unready.text.contains("the disk is full"), "\(unready.summary)")
    }
}
