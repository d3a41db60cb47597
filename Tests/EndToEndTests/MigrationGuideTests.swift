import Crypto
import Foundation
import TestPrograms
import Testing
import VaultServers

/// docs/migration.md, as written.
@Suite(.timeLimit(.minutes(10))) struct MigrationGuideTests {
    /// The lines behind a marker.
    private static func commands(_ marker: String) throws -> String {
        let page = try String(contentsOf: Places.package.appending(path: "docs/migration.md"), encoding: .utf8)
        let start = try #require(page.range(of: "<!-- \(marker): a test runs these lines as they are -->\n```sh\n"))
        let end = try #require(page.range(of: "```", range: start.upperBound..<page.endIndex))
        return String(page[start.upperBound..<end.lowerBound])
    }

    private func bash(
        _ marker: String, in folder: URL, environment: [String: String] = [:]
    ) async throws -> Finished {
        let bin = URL(filePath: try Places.postern()).deletingLastPathComponent().path
        let lines = "export PATH=\"\(bin):$PATH\"\n" + (try Self.commands(marker))
        return try await run("bash", ["-euo", "pipefail", "-c", lines], environment: environment, in: folder)
    }

    @Test func `the commands that move secrets work as written`() async throws {
        try await MigrationSite.with { site in
            let api = try await DevServer.shared.api
            let old = try site.sqlite("old", key: "k1")
            _ = try site.vault("new", api, mount: try await api.makeKV(), key: "k2")
            try await site.withGateway(old) { gateway in
                for name in ["a", "b/c"] {
                    let json = #"{"name":"\#(name)","value":"v"}"#
                    let answer = try await gateway.admin("POST", "/admin/api/secrets", json: json)
                    #expect(answer.status == 201)
                }
            }
            let done = try await bash("migration", in: site.home.directory)
            #expect(done.code == 0, "\(done.text)\n\(done.errors)")
            #expect(done.text.contains("to copy: 2 secrets"))
            #expect(done.text.contains("every version arrived, bit for bit"))
            #expect(done.text.contains("phase: cut_over"))
            #expect(done.text.contains("migration.end"))
            #expect(FileManager.default.fileExists(atPath: site.file("migration.json")))
        }
    }

    @Test func `the commands that import secrets work as written`() async throws {
        try await withGateway { gateway in
            try gateway.write("DATABASE_URL=postgres://x\n", to: "app.env")
            try gateway.write(#"{"db/main": {"user": "x", "password": "y"}, "llm/openai": "sk-1"}"#, to: "secrets.json")
            try gateway.write("redis-pass-2\n", to: "redis-password")
            let key = SymmetricKey(size: .bits256)
            try key.withUnsafeBytes { Data($0) }.write(to: URL(filePath: gateway.file("blob.key")))
            let blob = try #require(try AES.GCM.seal(Data("from redis".utf8), using: key).combined)
            let redis = try await RedisServer(in: gateway.directory, password: "redis-pass-2")
            let result: Result<Finished, any Error>
            do {
                try await redis.command(["SET", "secrets:billing:stripe", blob.base64EncodedString()])
                result = .success(
                    try await bash(
                        "imports", in: gateway.directory,
                        environment: [
                            "POSTERN_CLIENT_ADMIN_ADDRESS": gateway.adminAddress,
                            "POSTERN_CLIENT_CA": gateway.pki.file("ca.pem"), "ADMIN_KEY": gateway.adminKey,
                            "REDIS_HOST": "127.0.0.1:\(redis.port)",
                        ]))
            } catch {
                result = .failure(error)
            }
            await redis.stop()
            let done = try result.get()
            #expect(done.code == 0, "\(done.text)\n\(done.errors)")
            let listed = try await gateway.admin("GET", "/admin/api/secrets?recursive=true").text
            for path in ["app/DATABASE_URL", "app/env", "db/main", "llm/openai", "billing/stripe"] {
                #expect(listed.contains("\"\(path)\""), "\(path)")
            }
        }
    }
}
