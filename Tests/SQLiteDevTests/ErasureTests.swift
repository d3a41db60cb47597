import Foundation
import GRDB
import PosternProtocol
import Testing

@testable import SQLiteDev

@Suite struct ErasureTests {
    private let folder: TemporaryFolder
    private let deadline = Deadline.after(.seconds(60))
    private let path: SecretPath

    init() throws {
        folder = try TemporaryFolder()
        path = try SecretPath("erased/secret")
    }

    /// A value that can be searched for on every page that it takes.
    private func canary(_ size: Int) -> (payload: Payload, mark: Data)? {
        let mark = "canary-\(UUID().uuidString)-"
        let value = String(repeating: mark, count: max(1, size / mark.utf8.count))
        guard let payload = try? Payload(value: SecretBytes(value)) else { return nil }
        return (payload, Data(mark.utf8))
    }

    /// The files that hold a mark.
    private func holders(of mark: Data) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { name in
            try Data(contentsOf: URL(fileURLWithPath: folder.file(name))).range(of: mark) != nil
        }
    }

    @Test(arguments: [40, 3_000, 100_000])
    func `destroyed and removed values are in no file any more`(size: Int) async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        for removes in [false, true] {
            let (payload, mark) = try #require(canary(size))
            // Between others, and once checkpointed into the file proper.
            _ = try await backend.write(SecretPath("erased/before"), payload.halved, expecting: nil, deadline: deadline)
            let written = try await backend.write(path, payload, expecting: nil, deadline: deadline)
            try await backend.database.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            _ = try await backend.write(path, payload, expecting: nil, deadline: deadline)
            #expect(try !holders(of: mark).isEmpty)
            if removes {
                try await backend.remove(path, deadline: deadline)
            } else {
                try await backend.destroy(path, versions: [written.number, written.number + 1], deadline: deadline)
            }
            #expect(try holders(of: mark) == [])
        }
        let fields = try await backend.database.read { db in
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM field JOIN secret ON secret = id WHERE path = 'erased/secret'")
        }
        #expect(fields == 0)
        try await backend.close()
    }

    @Test func `removal leaves no rows behind`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        for _ in 1...3 {
            _ = try await backend.write(path, Payload(value: SecretBytes("v")), expecting: nil, deadline: deadline)
        }
        try await backend.remove(path, deadline: deadline)
        let counts = try await backend.database.read { db in
            try ["secret", "version", "field"].map { try Int.fetchOne(db, sql: "SELECT count(*) FROM \($0)") }
        }
        #expect(counts == [0, 0, 0])
        try await backend.close()
    }

    @Test func `while another program reads the file, health says what is left, and the next write clears it`()
        async throws
    {
        let backend = try await SQLiteBackend.open(path: folder.file())
        let (payload, mark) = try #require(canary(3_000))
        _ = try await backend.write(path, payload, expecting: nil, deadline: deadline)
        var configuration = Configuration()
        configuration.readonly = true
        configuration.allowsUnsafeTransactions = true
        let reader = try DatabaseQueue(path: folder.file(), configuration: configuration)
        try await reader.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN")
            _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM field")
        }
        try await backend.destroy(path, versions: [1], deadline: deadline)
        #expect(await backend.health(deadline: deadline).detail.contains("still in its log"))
        try await reader.writeWithoutTransaction { db in try db.execute(sql: "COMMIT") }
        _ = try await backend.write(path, Payload(value: SecretBytes("v")), expecting: nil, deadline: deadline)
        #expect(await backend.health(deadline: deadline).detail == "ok")
        #expect(try holders(of: mark) == [])
        try reader.close()
        try await backend.close()
    }
}

extension Payload {
    /// Another value of half the size, without the mark.
    fileprivate var halved: Payload {
        get throws { try Payload(value: SecretBytes(String(repeating: "o", count: byteCount / 2))) }
    }
}
