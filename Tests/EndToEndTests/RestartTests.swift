import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import TestPrograms
import Testing

/// What is kept from one run to the next, and what is needed to read it.
@Suite(.timeLimit(.minutes(3))) struct RestartTests {
    @Test func `everything is there after a graceful restart, and the audit log goes on where it ended`() async throws {
        try await withGateway { gateway in
            let last = try await gateway.client { client in
                for number in 0..<20 { try await client.put("llm/\(number % 5)", "value \(number)") }
                return try await client.get("llm/4").audit.index
            }
            #expect(try await gateway.end(by: SIGTERM).code == 0)
            try await gateway.start()
            let first = try await gateway.client { client in
                for number in 0..<20 {
                    let value = try await client.value("llm/\(number % 5)", version: UInt64(number / 5 + 1))
                    #expect(value == "value \(number)")
                }
                return try await client.get("llm/4").audit.index
            }
            let records = try gateway.auditRecords()
            #expect(records.map(\.index) == Array(0..<UInt64(records.count)))
            let between = records.filter { $0.index > last && $0.index < first }.compactMap(\.action)
            #expect(between.prefix(2) == ["gateway.stop", "gateway.start"], "\(between)")
        }
    }

    @Test func `without the right key nothing is read, and nothing is handed out as it lies`() async throws {
        try await withGateway { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "behind the key") }
            _ = try await gateway.end(by: SIGTERM)
            let key = try Data(contentsOf: URL(filePath: gateway.file("kek")))
            let other = try await withGateway { try Data(contentsOf: URL(filePath: $0.file("kek"))) }
            try other.write(to: URL(filePath: gateway.file("kek")))
            try await gateway.start()
            let refusal = try await gateway.refusal(as: "operator") { _ = try await $0.get("llm/a") }
            #expect([.keyUnavailable, .integrityFailure].contains(refusal.error.code), "\(refusal)")
            let answer = try await gateway.admin("POST", "/admin/api/secrets/llm/a:reveal", json: #"{"reason":"t"}"#)
            #expect(answer.status >= 500)
            #expect(!answer.text.contains("behind"))
            let record = try #require(try gateway.auditRecords().first { $0.index == refusal.auditIndex })
            #expect(record.outcome == refusal.error.code.rawValue)

            _ = try await gateway.end(by: SIGTERM)
            try key.write(to: URL(filePath: gateway.file("kek")))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: gateway.file("kek"))
            try await gateway.start()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "behind the key")
        }
    }

    @Test func `a lost key is not replaced by a new one, which would split the store between two`() async throws {
        try await withGateway { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "behind the key") }
            _ = try await gateway.end(by: SIGTERM)
            try FileManager.default.removeItem(atPath: gateway.file("kek"))
            let result = try await run(
                try Places.postern(), ["serve", "--config", gateway.file("postern.yaml")],
                environment: ["ADMIN_KEY": gateway.adminKey])
            #expect(result.code == 7, "\(result.summary)")
            #expect(result.errors.contains("kek") && result.errors.contains("put it back"), "\(result.summary)")
            #expect(!FileManager.default.fileExists(atPath: gateway.file("kek")))
        }
    }

    @Test func `a key file that others may read is refused, and says what to do`() async throws {
        try await withGateway { gateway in
            _ = try await gateway.end(by: SIGTERM)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: gateway.file("kek"))
            let result = try await run(
                try Places.postern(), ["serve", "--config", gateway.file("postern.yaml")],
                environment: ["ADMIN_KEY": gateway.adminKey])
            #expect(result.code != 0)
            #expect(result.errors.contains("kek") && result.errors.contains("0600"), "\(result.summary)")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: gateway.file("kek"))
        }
    }
}
