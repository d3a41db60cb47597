import Foundation
import PosternAudit
import PosternProtocol
import Testing
import TransparencyLog

@Suite(.serialized) struct AuditCrashTests {
    /// The helper lies beside the test binary.
    private static var helper: URL {
        URL(fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
            .deletingLastPathComponent().appendingPathComponent("audit-storm")
    }

    @Test func `after kill -9 in a storm every acknowledged record is at its index, 25 times on one log`() throws {
        let directory = try TemporaryDirectory()
        var acknowledged: [UInt64: String] = [:]
        for round in 0..<25 {
            let process = Process()
            process.executableURL = Self.helper
            process.arguments = ["storm", directory.log, "round-\(round)"]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // From its first answer on, any moment is as good as another.
            var received = output.fileHandleForReading.availableData
            let enough = Int.random(in: 1...40_000)
            while received.count < enough {
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { break }
                received.append(more)
            }
            kill(process.processIdentifier, SIGKILL)
            received.append(output.fileHandleForReading.readDataToEndOfFile())
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal)

            let lines = String(decoding: received, as: UTF8.self).split(separator: "\n")
            #expect(!lines.isEmpty)
            var ids: [UInt64: String] = [:]
            for line in lines {
                let parts = line.split(separator: " ")
                try #require(parts.count == 2, "a line is whole or not there")
                let index = try #require(UInt64(parts[0]))
                #expect(ids.updateValue(String(parts[1]), forKey: index) == nil, "index \(index) given twice")
            }
            #expect(acknowledged.merging(ids) { old, _ in old }.count == acknowledged.count + ids.count)
            acknowledged.merge(ids) { old, _ in old }
            let log = try AuditLog.open(directory: directory.log, options: .small)
            #expect(log.nextIndex > (acknowledged.keys.max() ?? 0))
            log.close()
            try Self.check(ids, in: directory.log)
        }
        try Self.check(acknowledged, in: directory.log)
        #expect(try AuditLogReader(directory: directory.log).verify().tornBytes == 0)
        print("kill -9: \(acknowledged.count) acknowledged records, all there")
    }

    @Test(arguments: [0, 1, 2, 3, 4])
    func `killed 250 times at random moments, no acknowledged record is lost and no checkpoint goes back`(
        life: Int
    ) throws {
        let directory = try TemporaryDirectory()
        var kept: [LogVerifier.Kept] = []
        var largest: UInt64 = 0
        var acknowledged: [UInt64: String] = [:]
        for round in 0..<50 {
            let process = Process()
            process.executableURL = Self.helper
            process.arguments = ["storm", directory.log, "\(life)-\(round)"] + (life == 4 ? ["rotating"] : [])
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // While it starts, opens, catches up, writes, publishes, removes segments, or changes keys.
            usleep(UInt32.random(in: 0...120_000))
            kill(process.processIdentifier, SIGKILL)
            let received = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal, "round \(round)")
            for line in String(decoding: received, as: UTF8.self).split(separator: "\n") {
                let parts = line.split(separator: " ")
                guard parts.count == 2, let index = UInt64(parts[0]) else { continue }
                #expect(acknowledged.updateValue(String(parts[1]), forKey: index) == nil, "index \(index) given twice")
            }
            // As it lies, before anybody has opened it again.
            guard FileManager.default.fileExists(atPath: directory.published + "/checkpoint") else { continue }
            let size = try directory.checkpoint().size
            #expect(size >= largest, "the checkpoint went back in round \(round)")
            largest = size
            kept.append(LogVerifier.Kept(name: "round \(round)", bytes: try directory.read("log/checkpoint")))
            guard round % 10 == 9 else { continue }
            let log = try AuditLog.open(directory: directory.log, options: .small)
            #expect(log.nextIndex > (acknowledged.keys.max() ?? 0))
            log.close()
            try Self.check(acknowledged, in: directory.log)
            let report = try directory.verify { $0.kept = kept }
            #expect(report.earlierCheckpoints == kept.count && report.size == log.nextIndex && report.tornBytes == 0)
        }
        print("kill -9, life \(life): \(acknowledged.count) acknowledged records, \(kept.count) checkpoints, all there")
    }

    /// Every acknowledged record is at its index; the cursor checks the chain on the way.
    private static func check(_ acknowledged: [UInt64: String], in directory: String) throws {
        var found = 0
        var cursor = AuditLogReader(directory: directory).entries(from: acknowledged.keys.min() ?? 0)
        while let entry = try cursor.next() {
            guard let id = acknowledged[entry.index] else { continue }
            found += 1
            let member = Array("\"request_id\":\"\(id)\",".utf8)
            #expect(Data(entry.json).range(of: Data(member)) != nil, "\(entry.index) is not \(id)")
        }
        #expect(found == acknowledged.count)
    }

    @Test func `a full disk turns health red first, then refuses appends, and service resumes when there is room`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let disk = directory.path + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        guard try run("/bin/mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", disk) == 0 else {
            print("skipped: a small file system cannot be mounted here (this needs root)")
            return
        }
        defer { #expect(throws: Never.self) { try run("/bin/umount", disk) } }

        let log = try AuditLog.open(directory: disk + "/log", options: .small)
        defer { log.close() }
        let large = record("large", reason: String(repeating: "r", count: 30_000))
        var acknowledged: UInt64 = 0
        var whileRed = 0
        var failure: SecretError?
        while failure == nil {
            let wasReady = log.health.isReady
            do {
                #expect(try await log.append(large) == acknowledged)
                acknowledged += 1
                if !wasReady { whileRed += 1 }
            } catch {
                failure = error
                #expect(!wasReady, "red before the first failure")
            }
        }
        #expect(failure?.code == .auditUnavailable)
        #expect(failure?.message.contains("No space left") == true)
        #expect(whileRed > 0, "there was room left when it turned red")
        await #expect(throws: SecretError.self) { try await log.append(record("small")) }
        #expect(log.nextIndex == acknowledged)

        // More room, as an operator would make it.
        try #require(try run("/bin/mount", "-o", "remount,size=8m", disk) == 0)
        try await eventually("health stays red") { log.health.isReady }
        #expect(try await log.append(large) == acknowledged)
        #expect(try AuditLogReader(directory: disk + "/log").verify().records == acknowledged + 1)
    }

    @Test func `where the published log cannot be written records are still taken, and published when it can`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let disk = directory.path + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        guard try run("/bin/mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", disk) == 0 else {
            print("skipped: a small file system cannot be mounted here (this needs root)")
            return
        }
        defer { #expect(throws: Never.self) { try run("/bin/umount", disk) } }
        let image = disk + "/log"
        let log = try AuditLog.open(directory: image, options: .small)
        defer { log.close() }
        try await log.published(covering: try await log.append(record("0")), deadline: .after(.seconds(120)))
        // A directory that cannot be written to, as root sees it only from a read-only mount over it.
        try #require(try run("/bin/mount", "--bind", image + "/log", image + "/log") == 0)
        try #require(try run("/bin/mount", "-o", "remount,bind,ro", image + "/log") == 0)
        let index = try await log.append(record("1"))
        try await eventually("health does not tell") { log.health.detail.contains("Read-only file system") }
        #expect(log.publication.size == 1)
        try #require(try run("/bin/umount", image + "/log") == 0)
        try await log.published(covering: index, deadline: .after(.seconds(120)))
        #expect(try LogVerifier(directory: image).verify().size == 2)
    }

    @discardableResult
    private func run(_ command: String, _ arguments: String...) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
