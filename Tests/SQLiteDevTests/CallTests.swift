import Foundation
import GRDB
import PosternProtocol
import Synchronization
import Testing

@testable import SQLiteDev

@Suite struct CallTests {
    private let folder: TemporaryFolder
    private let deadline = Deadline.after(.seconds(60))
    private let canary = "canary-51c8"

    init() throws { folder = try TemporaryFolder() }

    private func write(
        _ backend: SQLiteBackend, _ path: String, size: Int = 1, deadline: Deadline? = nil
    ) async throws {
        let value = canary + String(repeating: "v", count: size)
        _ = try await backend.write(
            SecretPath(path), Payload(value: SecretBytes(value)), expecting: nil, deadline: deadline ?? self.deadline)
    }

    /// Runs a body while the connection is busy with something else, which ends when the body says so.
    private func whileBusy(
        _ backend: SQLiteBackend, _ body: (_ release: @escaping @Sendable () -> Void) async throws -> Void
    ) async throws {
        let gate = DispatchSemaphore(value: 0)
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        backend.database.asyncWriteWithoutTransaction { _ in
            start.finish()
            gate.wait()
        }
        for await _ in started {}
        try await body { gate.signal() }
    }

    @Test func `a call whose deadline passes while it waits for its turn does not start`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await whileBusy(backend) { release in
            let soon = Deadline.after(.milliseconds(30))
            let late = Task { try await write(backend, "late", deadline: soon) }
            try await Task.sleep(until: soon.instant, clock: .continuous)
            release()
            let error = await #expect(throws: SecretError.self) { try await late.value }
            #expect(error?.code == .deadlineExceeded)
        }
        #expect(try await backend.list(ListQuery(), deadline: deadline).entries.isEmpty)
        try await backend.close()
    }

    @Test func `a call that is cancelled while it waits for its turn does not start`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await whileBusy(backend) { release in
            let task = Task { try await write(backend, "cancelled") }
            await Task.yield()
            task.cancel()
            release()
            let error = await #expect(throws: SecretError.self) { try await task.value }
            #expect(error?.code == .cancelled)
        }
        #expect(try await backend.list(ListQuery(), deadline: deadline).entries.isEmpty)
        try await backend.close()
    }

    @Test func `waiting calls leave Swift's threads free`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await whileBusy(backend) { release in
            // More waiting calls than there are cooperative threads.
            let tasks = (0..<64).map { number in Task { try await write(backend, "waiting/\(number)") } }
            for _ in 0..<100 { await Task.detached { await Task.yield() }.value }
            release()
            for task in tasks { try await task.value }
        }
        try await backend.close()
    }

    @Test func `closing waits for the calls that are running, and refuses those that come later`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await whileBusy(backend) { release in
            let tasks = (0..<8).map { number in Task { try await write(backend, "running/\(number)") } }
            while backend.gate.running < 8 { await Task.yield() }
            let closing = Task { try await backend.close() }
            while !backend.gate.isClosed { await Task.yield() }
            let error = await #expect(throws: SecretError.self) { try await write(backend, "late") }
            #expect(error?.code == .backendUnavailable)
            release()
            for task in tasks { try await task.value }
            try await closing.value
        }
        let again = try await SQLiteBackend.open(path: folder.file())
        #expect(try await again.list(ListQuery(recursive: true), deadline: deadline).entries.count == 8)
        try await again.close()
    }

    @Test func `the file is not closed under a call that is in but not yet in the queue`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try backend.gate.enter()
        let closing = Task { try await backend.close() }
        while !backend.gate.isClosed { await Task.yield() }
        // As long as nobody else gets the file, it is open.
        for _ in 0..<100 {
            let error = await #expect(throws: SecretError.self) { try await SQLiteBackend.open(path: folder.file()) }
            #expect(error?.message.contains("in use") == true)
        }
        backend.gate.leave()
        try await closing.value
        try await SQLiteBackend.open(path: folder.file()).close()
    }

    @Test func `a full disk is said to be one, changes nothing, and is over when there is room`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await write(backend, "a")
        try await backend.database.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 2)")
        }
        for path in ["a", "b"] {
            let error = await #expect(throws: SecretError.self) { try await write(backend, path, size: 100_000) }
            #expect(error?.code == .backendUnavailable)
            #expect(error?.message.contains("full") == true)
            #expect(error?.message.contains(canary) == false)
        }
        #expect(try await backend.describe(SecretPath("a"), deadline: deadline).currentVersion == 1)
        #expect(try await backend.list(ListQuery(), deadline: deadline).entries.count == 1)
        try await backend.database.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA max_page_count = 1000000")
        }
        try await write(backend, "a", size: 100_000)
        #expect(try await backend.describe(SecretPath("a"), deadline: deadline).currentVersion == 2)
        try await backend.close()
    }

    @Test func `a file locked by another program is unavailable, and usable again afterwards`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await backend.database.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA busy_timeout = 1") }
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.file(), configuration: configuration)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
        let error = await #expect(throws: SecretError.self) { try await write(backend, "a") }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains("locked") == true)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") }
        try await write(backend, "a")
        try other.close()
        try await backend.close()
    }

    @Test func `no failure of the store puts SQL or values into its message`() async throws {
        let backend = try await SQLiteBackend.open(path: folder.file())
        try await backend.database.write { db in try db.execute(sql: "DROP TABLE field") }
        let error = await #expect(throws: SecretError.self) { try await write(backend, "a") }
        #expect(error?.code == .internalError)
        for word in [canary, "INSERT", "field"] { #expect(error?.message.contains(word) == false, "\(word)") }
        try await backend.close()
    }

    @Test func `a page of folders takes one search for each, however much they hold`() async throws {
        let memory = try TemporaryFolder(inMemory: true)
        let backend = try await SQLiteBackend.open(path: memory.file())
        for folder in 0..<5 {
            for child in 0..<200 { try await write(backend, "folder\(folder)/\(child)") }
        }
        let searches = Counter()
        try await backend.database.writeWithoutTransaction { db in
            db.trace { if "\($0)".contains("SELECT path") { searches.increment() } }
            let plan = try Row.fetchAll(
                db,
                sql: "EXPLAIN QUERY PLAN SELECT path FROM secret WHERE path > 'a' AND path < 'b' ORDER BY path LIMIT 1")
            #expect(plan.map { $0["detail"] as String? ?? "" }.allSatisfy { $0.contains("SEARCH") }, "\(plan)")
        }
        searches.reset()
        #expect(try await backend.list(ListQuery(), deadline: deadline).entries.count == 5)
        #expect(searches.value == 6)
        try await backend.close()
        try memory.remove()
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
    func reset() { count.withLock { $0 = 0 } }
}
