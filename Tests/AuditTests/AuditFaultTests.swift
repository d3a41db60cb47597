import Foundation
import PosternAudit
import PosternProtocol
import Testing

@Suite struct AuditFaultTests {
    let directory: TemporaryDirectory
    let files = FaultyFiles()
    let log: AuditLog

    init() throws {
        directory = try TemporaryDirectory()
        var options = AuditLog.Options.small
        options.files = files
        log = try AuditLog.open(directory: directory.log, options: options)
    }

    private func large(_ id: String) -> AuditRecord { record(id, reason: String(repeating: "r", count: 60_000)) }

    @Test(arguments: [FaultyFiles.Operation.write, .synchronize], [EIO, ENOSPC])
    func `after a failed write or sync nobody is acknowledged, and service resumes by itself`(
        operation: FaultyFiles.Operation, number: Int32
    ) async throws {
        for count in 0..<5 { _ = try await log.append(record("before-\(count)")) }
        files.fail(operation, with: number)
        await withTaskGroup { group in
            for count in 0..<100 {
                group.addTask { [log] in
                    let error = await #expect(throws: SecretError.self) {
                        try await log.append(record("lost-\(count)"))
                    }
                    #expect(error?.code == .auditUnavailable)
                }
            }
        }
        #expect(!log.health.isReady)
        #expect(log.nextIndex == 5)
        files.heal()
        try await eventually("health stays red") { log.health.isReady }
        #expect(try await log.append(record("after")) == 5)
        #expect(
            try allEntries(directory.log).map(requestID) == (0..<5).map { "before-\($0)" } + ["after"])
        log.close()
        let again = try AuditLog.open(directory: directory.log)
        #expect(again.nextIndex == 6)
        #expect(again.recoveredTornBytes == 0)
        #expect(try AuditLogReader(directory: directory.log).verify().records == 6)
    }

    @Test func `what a failed sync left in the file is never continued from`() async throws {
        _ = try await log.append(record("kept"))
        files.fail(.synchronize, with: EIO)
        await #expect(throws: SecretError.self) { try await log.append(record("written but not synced")) }
        let suspect = try FileManager.default.attributesOfItem(atPath: directory.log + "/00000000000000000000.wal")
        files.heal()
        try await eventually("health stays red") { log.health.isReady }
        // The file was replaced, not written to again.
        let fresh = try FileManager.default.attributesOfItem(atPath: directory.log + "/00000000000000000000.wal")
        #expect(suspect[.systemFileNumber] as? Int != fresh[.systemFileNumber] as? Int)
        #expect(try allEntries(directory.log).map(requestID) == ["kept"])
    }

    @Test(
        arguments: [
            FaultyFiles.Operation.reserve, .write, .synchronize, .truncate, .rename, .synchronizeDirectory,
        ])
    func `a fault at any step of a rotation loses nothing that was acknowledged`(
        operation: FaultyFiles.Operation
    ) async throws {
        var kept: [String] = []
        // Four such records fill a segment; so in each round the fault meets another step.
        for round in 0..<6 {
            for count in 0..<round {
                kept.append("\(round)-\(count)")
                #expect(try await log.append(large("\(round)-\(count)")) == UInt64(kept.count - 1))
            }
            files.fail(operation, with: EIO)
            for count in 0..<6 {
                do {
                    let index = try await log.append(large("\(round)-fault-\(count)"))
                    kept.append("\(round)-fault-\(count)")
                    #expect(index == UInt64(kept.count - 1))
                } catch {
                    #expect(error.code == .auditUnavailable)
                }
            }
            #expect(!log.health.isReady)
            files.heal()
            try await eventually("health stays red") { log.health.isReady }
        }
        #expect(log.nextIndex == UInt64(kept.count))
        log.close()
        #expect(try allEntries(directory.log).map(requestID) == kept)
        #expect(try AuditLogReader(directory: directory.log).verify().records == UInt64(kept.count))
        #expect(try AuditLog.open(directory: directory.log).nextIndex == UInt64(kept.count))
    }

    @Test func `without room for the next segment health is red while appends still succeed`() async throws {
        files.fail(.reserve, with: ENOSPC)
        var acknowledged = 0
        // The first rotation uses the room that was set aside; then there is none.
        while log.health.isReady {
            _ = try await log.append(large("\(acknowledged)"))
            acknowledged += 1
        }
        #expect(log.health.detail.contains("next.reserved"))
        _ = try await log.append(record("while red"))
        var failure: SecretError?
        while failure == nil {
            do {
                _ = try await log.append(large("until full"))
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .auditUnavailable)
        let before = log.nextIndex
        await #expect(throws: SecretError.self) { try await log.append(record("full")) }
        files.heal()
        try await eventually("health stays red") { log.health.isReady }
        #expect(try await log.append(record("again")) == before)
    }

    @Test func `while the disk hangs, waiting records are bounded, and those that were taken arrive`() async throws {
        files.holdSync(true)
        let refused = Counter()
        let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for task in 0..<400 {
                group.addTask { [log] in
                    do {
                        _ = try await log.append(contentsOf: (0..<50).map { record("\(task)-\($0)") })
                        return true
                    } catch {
                        #expect((error as? SecretError)?.code == .auditUnavailable)
                        refused.increment()
                        return false
                    }
                }
            }
            try await eventually("nothing is refused") { refused.value > 0 }
            files.holdSync(false)
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken > 100)
        #expect(log.nextIndex == UInt64(taken * 50))
        #expect(log.health.isReady)
        #expect(try AuditLogReader(directory: directory.log).verify().records == log.nextIndex)
    }

    @Test func `closing waits for what waits`() async throws {
        files.holdSync(true)
        let appends = (0..<10).map { count in Task { [log] in try await log.append(record("\(count)")) } }
        try await eventually("nothing is written") { try directory.read("00000000000000000000.wal")[128] != 0 }
        files.holdSync(false)
        log.close()
        var acknowledged = 0
        for append in appends {
            do {
                _ = try await append.value
                acknowledged += 1
            } catch {
                #expect((error as? SecretError)?.code == .auditUnavailable)
            }
        }
        #expect(acknowledged > 0)
        #expect(try AuditLogReader(directory: directory.log).verify().records == UInt64(acknowledged))
    }

    @Test func `a log that cannot be made says why`() throws {
        log.close()
        let other = try TemporaryDirectory()
        var options = AuditLog.Options.small
        options.files = files
        files.fail(.reserve, with: ENOSPC)
        let error = #expect(throws: AuditLogError.self) { try AuditLog.open(directory: other.log, options: options) }
        #expect(error?.code == .fileSystem)
        #expect(error?.message.contains("No space left") == true)
        files.heal()
        _ = try AuditLog.open(directory: other.log, options: options)
    }
}
