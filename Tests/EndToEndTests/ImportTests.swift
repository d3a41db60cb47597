import Crypto
import Foundation
import TestPrograms
import Testing

/// `postern import`, against a gateway that serves.
@Suite struct ImportTests {
    private func importing(
        _ arguments: [String], _ gateway: GatewayUnderTest, environment: [String: String] = [:]
    ) async throws -> Finished {
        try await run(
            try Places.postern(), ["import"] + arguments + ["--output", "json"],
            environment: environment.merging([
                "POSTERN_CLIENT_ADMIN_ADDRESS": gateway.adminAddress, "POSTERN_CLIENT_CA": gateway.pki.file("ca.pem"),
                "ADMIN_KEY": gateway.adminKey,
            ]) { $1 }, in: gateway.directory)
    }

    private func fields(_ path: String, _ gateway: GatewayUnderTest) async throws -> [String: String] {
        let answer = try await gateway.admin("POST", "/admin/api/secrets/\(path):reveal", json: #"{"reason":"test"}"#)
        return (try answer.json()["fields"]?.members ?? [:]).compactMapValues(\.text)
    }

    private func count(_ name: String, _ done: Finished) throws -> Int? { try JSON(parsing: done.output)[name]?.number }

    @Test func `a dotenv file becomes secrets, again without a change, and only what differs is updated`() async throws
    {
        try await withGateway { gateway in
            try gateway.write(
                """
                # a comment
                PLAIN=some text   # and a comment
                export EXPORTED = spaced
                SINGLE='lit$eral \\n # no comment'
                DOUBLE="a\\tb \\"quoted\\" \\$HOME"
                MULTI="-----BEGIN-----
                line two
                -----END-----" # done
                HASH=a#b
                EMPTY=
                """, to: "app.env")
            let dry = try await importing(["dotenv", "app.env", "--prefix", "app", "--dry-run"], gateway)
            #expect(try count("written", dry) == 7)
            #expect(try await gateway.admin("GET", "/admin/api/secrets/app/PLAIN").status == 404)
            let first = try await importing(["dotenv", "app.env", "--prefix", "app"], gateway)
            #expect(first.code == 0, "\(first.errors)")
            #expect(try count("written", first) == 7)
            let expected = [
                "PLAIN": "some text", "EXPORTED": "spaced", "SINGLE": #"lit$eral \n # no comment"#,
                "DOUBLE": "a\tb \"quoted\" $HOME", "MULTI": "-----BEGIN-----\nline two\n-----END-----", "HASH": "a#b",
                "EMPTY": "",
            ]
            for (name, value) in expected { #expect(try await fields("app/\(name)", gateway) == ["value": value]) }
            #expect(!first.text.contains("some text") && !first.errors.contains("some text"))
            let again = try await importing(["dotenv", "app.env", "--prefix", "app"], gateway)
            #expect(again.code == 0)
            #expect(try count("unchanged", again) == 7)
            #expect(try count("written", again) == 0)

            try gateway.write("PLAIN=other\nNEW=one\n", to: "app.env")
            let failing = try await importing(["dotenv", "app.env", "--prefix", "app"], gateway)
            #expect(failing.code == 6)
            #expect(try count("written", failing) == 1)
            #expect(failing.text.contains("PLAIN"))
            let skipping = try await importing(
                ["dotenv", "app.env", "--prefix", "app", "--if-exists", "skip"], gateway)
            #expect(skipping.code == 0)
            #expect(try count("skipped", skipping) == 1)
            #expect(try await fields("app/PLAIN", gateway) == ["value": "some text"])
            let updating = try await importing(
                ["dotenv", "app.env", "--prefix", "app", "--if-exists", "update"], gateway)
            #expect(updating.code == 0)
            #expect(try await fields("app/PLAIN", gateway) == ["value": "other"])

            let whole = try await importing(["dotenv", "app.env", "--as-secret", "app/all"], gateway)
            #expect(whole.code == 0)
            #expect(try await fields("app/all", gateway) == ["PLAIN": "other", "NEW": "one"])
            #expect(try gateway.auditRecords().contains { $0.action == "secret.write" && $0.path == "app/all" })
        }
    }

    @Test func `a bad dotenv file is refused with its line, and nothing of a value`() async throws {
        try await withGateway { gateway in
            for (text, line) in [
                ("A=1\nnot a line\n", "Line 2"), ("A='open\nB=2", "Line 1"), ("A=1\nA=2", "Line 2"),
                ("A=\"x\" hunter2", "Line 1"), ("1A=2", "Line 1"),
            ] {
                try gateway.write(text, to: "bad.env")
                let done = try await importing(["dotenv", "bad.env"], gateway)
                #expect(done.code == 2, "\(text)")
                #expect(done.errors.contains(line), "\(done.errors)")
                #expect(!done.errors.contains("hunter2"))
            }
        }
    }

    @Test func `a JSON file becomes secrets, and bad names are told all at once before anything is written`()
        async throws
    {
        try await withGateway { gateway in
            try gateway.write(
                #"{"db/main": {"user": "x", "password": "p\u00e4ss"}, "llm/key": "sk-1", "bad name": "v", "b//d": "v"}"#,
                to: "secrets.json")
            let refused = try await importing(["json", "secrets.json"], gateway)
            #expect(refused.code == 2)
            #expect(refused.errors.contains("bad name") && refused.errors.contains("b//d"))
            #expect(try await gateway.admin("GET", "/admin/api/secrets/llm/key").status == 404)
            try gateway.write(
                #"{"db/main": {"user": "x", "password": "p\u00e4ss"}, "llm/key": "sk-1"}"#, to: "secrets.json")
            let done = try await importing(["json", "secrets.json"], gateway)
            #expect(done.code == 0, "\(done.errors)")
            #expect(try await fields("db/main", gateway) == ["user": "x", "password": "päss"])
            #expect(try await fields("llm/key", gateway) == ["value": "sk-1"])
            #expect(try count("unchanged", try await importing(["json", "secrets.json"], gateway)) == 2)
            try gateway.write(#"{"llm/key": 5}"#, to: "secrets.json")
            #expect(try await importing(["json", "secrets.json"], gateway).code == 2)
        }
    }

    /// A blob as the previous generation's store kept it.
    private static func blob(_ value: String, _ key: SymmetricKey) throws -> String {
        guard let combined = try AES.GCM.seal(Data(value.utf8), using: key).combined else { return "" }
        return combined.base64EncodedString()
    }

    @Test(.timeLimit(.minutes(5)))
    func `blobs come out of a live Redis, damaged ones are named, and Redis is left as it was`() async throws {
        try await withGateway { gateway in
            let key = SymmetricKey(size: .bits256)
            let bytes = key.withUnsafeBytes { Data($0) }
            try bytes.write(to: URL(filePath: gateway.file("raw.key")))
            try gateway.write(bytes.map { String(format: "%02x", $0) }.joined() + "\n", to: "hex.key")
            try gateway.write(bytes.base64EncodedString() + "\n", to: "base64.key")
            let redis = try await RedisServer(
                in: gateway.directory, password: "redis-pass-1",
                tls: (gateway.pki.file("server.pem"), gateway.pki.file("server.key")))
            do {
                var commands = ""
                for index in 0..<250 {
                    commands += "SET secrets:team\(index % 3):s\(index) \(try Self.blob("value \(index)", key))\n"
                }
                commands += "SET secrets:bad:other-key \(try Self.blob("x", SymmetricKey(size: .bits256)))\n"
                var damaged = Array(try Self.blob("damaged", key).utf8)
                damaged[20] = damaged[20] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
                commands += "SET secrets:bad:damaged \(String(decoding: damaged, as: UTF8.self))\n"
                commands += "SET secrets:bad:short AAAA\nSET secrets:bad:plain not-base64!\nLPUSH secrets:bad:list a\n"
                commands += "SET session:1 unrelated\n"
                try await redis.command([], input: Data(commands.utf8))
                let before = try await redis.command(["DEBUG", "DIGEST"])
                let arguments = [
                    "redis", "redis://127.0.0.1:\(redis.port)/0", "--key-file", "raw.key", "--match", "secrets:*",
                    "--strip-prefix", "secrets:", "--separator", ":",
                ]
                let environment = ["REDIS_PASSWORD": "redis-pass-1"]
                let done = try await importing(arguments, gateway, environment: environment)
                #expect(done.code == 1, "\(done.errors)")
                #expect(try count("written", done) == 250)
                #expect(try count("failed", done) == 5)
                for name in ["other-key", "damaged", "short", "plain", "list"] {
                    #expect(done.text.contains("secrets:bad:\(name)"), "\(name)")
                }
                #expect(try await fields("team1/s100", gateway) == ["value": "value 100"])
                #expect(try await redis.command(["DEBUG", "DIGEST"]) == before)
                for file in ["hex.key", "base64.key"] {
                    var again = arguments
                    again[3] = file
                    let repeated = try await importing(again, gateway, environment: environment)
                    #expect(try count("unchanged", repeated) == 250, "\(repeated.errors)")
                    #expect(try count("written", repeated) == 0)
                }
                var encrypted = arguments
                encrypted[1] = "rediss://default@localhost:\(redis.tlsPort)"
                let untrusted = try await importing(encrypted, gateway, environment: environment)
                #expect(untrusted.code == 7, "\(untrusted.errors)")
                let overTLS = try await importing(
                    encrypted + ["--redis-ca", gateway.pki.file("ca.pem")], gateway, environment: environment)
                #expect(try count("unchanged", overTLS) == 250, "\(overTLS.errors)")
                let denied = try await importing(arguments, gateway, environment: ["REDIS_PASSWORD": "wrong"])
                #expect(denied.code == 5)
                let unnamed = try await importing(
                    ["redis", "redis://127.0.0.1:\(redis.port)", "--key-file", "raw.key"], gateway,
                    environment: environment)
                #expect(unnamed.code == 2)
                #expect(unnamed.errors.contains("session:1"))
                let visible = try await importing(
                    ["redis", "redis://u:p@127.0.0.1:\(redis.port)", "--key-file", "raw.key"], gateway)
                #expect(visible.code == 2)
                #expect(visible.errors.contains("REDIS_PASSWORD"))
                #expect(!done.text.contains("value 100") && !done.errors.contains("value 100"))
            } catch {
                await redis.stop()
                throw error
            }
            await redis.stop()
        }
    }
}
