import Foundation
import GRDB
import PosternProtocol
import Testing

@testable import SQLiteDev

@Suite struct FileTests {
    private let folder: TemporaryFolder
    private let deadline = Deadline.after(.seconds(60))

    init() throws { folder = try TemporaryFolder() }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func openFailure(_ path: String) async -> SecretError? {
        await #expect(throws: SecretError.self) { try await SQLiteBackend.open(path: path) }
    }

    @Test func `commits are synced, deletions overwrite, and references are checked`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        let pragmas = try await backend.database.read { db in
            try ["journal_mode", "synchronous", "foreign_keys", "secure_delete"].map {
                try String.fetchOne(db, sql: "PRAGMA \($0)")
            }
        }
        #expect(pragmas == ["wal", "2", "1", "1"])
        try await backend.close()
    }

    @Test func `the folder and every file in it belong to their owner alone`() async throws {
        let path = folder.file("new/folder/secrets.db")
        let backend = try await SQLiteBackend.open(path: path)
        _ = try await backend.write(
            SecretPath("a"), Payload(value: SecretBytes("v")), expecting: nil, deadline: deadline)
        #expect(try mode(folder.file("new")) == 0o700)
        #expect(try mode(folder.file("new/folder")) == 0o700)
        for suffix in ["", "-wal", "-shm", ".lock"] { #expect(try mode(path + suffix) == 0o600, "\(suffix)") }
        try await backend.close()
    }

    @Test(arguments: [0o604, 0o640, 0o660, 0o602])
    func `a file that others may open is refused, with the way to put it right`(mode: Int) async throws {
        let path = folder.file()
        try await SQLiteBackend.open(path: path).close()
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let error = await openFailure(path)
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("chmod 600 \(path)") == true)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try await SQLiteBackend.open(path: path).close()
    }

    @Test func `what is no file is refused`() async throws {
        try FileManager.default.createDirectory(atPath: folder.file("folder"), withIntermediateDirectories: false)
        #expect(await openFailure(folder.file("folder"))?.code == .backendUnavailable)
        #expect(await openFailure("/proc/no/such/folder/secrets.db")?.code == .backendUnavailable)
    }

    @Test func `a second opener is refused until the first has closed`() async throws {
        let first = try await SQLiteBackend.open(path: folder.file())
        let error = await openFailure(folder.file())
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("in use by another Postern (process \(getpid()))") == true)
        // The attempt has not taken the first one's own locks away.
        #expect(await first.health(deadline: deadline).isReady)
        try await first.close()
        try await SQLiteBackend.open(path: folder.file()).close()
    }

    @Test func `a second opener is refused by whatever link it comes`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: folder.path)
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("link.db"), withDestinationPath: folder.file())
        for path in [folder.file("link/secrets.db"), folder.file("link.db"), folder.path + "/./secrets.db"] {
            #expect(await openFailure(path)?.message.contains("in use by another Postern") == true, "\(path)")
        }
        try await backend.close()
    }

    @Test func `a second process is refused, and told who has the file`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        let storm = try Storm(file: folder.file())
        let said = try await storm.waitForExit()
        #expect(said.status == 1)
        #expect(said.errors.contains("in use by another Postern (process \(getpid()))"))
        #expect(said.lines.isEmpty)
        try await backend.close()
    }

    @Test func `a closed backend says so, and closing it again does nothing`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await backend.close()
        try await backend.close()
        let error = await #expect(throws: SecretError.self) { try await backend.list(ListQuery(), deadline: deadline) }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("closed") == true)
        #expect(await !backend.health(deadline: deadline).isReady)
    }

    @Test func `a file of a newer version is refused, not downgraded`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await backend.database.write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('v999')")
        }
        try await backend.close()
        let error = await openFailure(folder.file())
        #expect(error?.message.contains("newer Postern") == true)
        let applied = try await DatabaseQueue(path: folder.file()).read { db in
            try String.fetchSet(db, sql: "SELECT identifier FROM grdb_migrations")
        }
        #expect(applied == ["v1", "v999"])
    }

    @Test func `a file that is not SQLite's is refused as damaged`() async throws {
        let garbage = Data((0..<8_192).map { _ in UInt8.random(in: 0...255) })
        try garbage.write(to: URL(fileURLWithPath: folder.file()))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.file())
        #expect(await openFailure(folder.file())?.code == .integrityFailure)
    }

    @Test func `a damaged page is an integrity failure, not an answer`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        let payload = try Payload(value: SecretBytes(String(repeating: "v", count: 3_000)))
        let paths = try (0..<50).map { try SecretPath("damaged/\($0)") }
        for path in paths { _ = try await backend.write(path, payload, expecting: 0, deadline: deadline) }
        try await backend.close()

        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder.file()))
        let end = try file.seekToEnd()
        try file.seek(toOffset: 10 * 4_096)
        try file.write(contentsOf: Data(repeating: 0xFF, count: Int(end) - 10 * 4_096))
        try file.close()

        let again = try await SQLiteBackend.open(path: folder.file())
        var codes = Set<SecretError.Code>()
        for path in paths {
            do throws(SecretError) {
                #expect(try await again.read(path, version: nil, deadline: deadline).payload == payload)
            } catch {
                codes.insert(error.code)
            }
        }
        #expect(codes == [.integrityFailure])
        try await again.close()
    }
}
