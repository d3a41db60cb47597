import Foundation
import PosternAudit
import PosternProtocol
import Testing

@Suite struct AuditLogTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `an acknowledged record is there after reopening, byte for byte`() async throws {
        do {
            let log = try AuditLog.open(directory: directory.log)
            #expect(log.nextIndex == 0)
            #expect(try await log.append(record("first")) == 0)
            #expect(try await log.append(record("second")) == 1)
            #expect(log.nextIndex == 2)
            #expect(log.health == BackendHealth(isReady: true, detail: "ok"))
            log.close()
        }
        let log = try AuditLog.open(directory: directory.log)
        #expect(log.nextIndex == 2)
        #expect(log.recoveredTornBytes == 0)
        #expect(try allEntries(directory.log).map(\.json) == [json(record("first")), json(record("second"))])
        #expect(try await log.append(record("third")) == 2)
    }

    @Test func `concurrent appends get unique, dense indexes in file order`() async throws {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        let indexes = try await withThrowingTaskGroup(of: [(UInt64, String)].self) { group in
            for task in 0..<64 {
                group.addTask {
                    var mine: [(UInt64, String)] = []
                    for count in 0..<50 {
                        mine.append((try await log.append(record("\(task)-\(count)")), "\(task)-\(count)"))
                    }
                    return mine
                }
            }
            return try await group.reduce(into: [UInt64: String]()) { all, some in
                for (index, id) in some { #expect(all.updateValue(id, forKey: index) == nil) }
            }
        }
        #expect(indexes.count == 3_200)
        let entries = try allEntries(directory.log)
        #expect(entries.map(\.index) == Array(0..<3_200))
        for entry in entries { #expect(try requestID(entry) == indexes[entry.index]) }
        #expect(try directory.segments().count > 3)
        #expect(try AuditLogReader(directory: directory.log).verify().records == 3_200)
    }

    @Test func `records appended together get consecutive indexes amid others`() async throws {
        let log = try AuditLog.open(directory: directory.log)
        async let noise: Void = { for count in 0..<200 { _ = try await log.append(record("noise-\(count)")) } }()
        for group in 0..<50 {
            let first = try await log.append(contentsOf: (0..<3).map { record("group-\(group)-\($0)") })
            var cursor = AuditLogReader(directory: directory.log).entries(from: first)
            for member in 0..<3 {
                let entry = try #require(try cursor.next())
                #expect(entry.index == first + UInt64(member))
                #expect(try requestID(entry) == "group-\(group)-\(member)")
            }
        }
        try await noise
        #expect(log.nextIndex == 350)
    }

    @Test func `cancelling a task does not undo its append`() async throws {
        let log = try AuditLog.open(directory: directory.log)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await log.append(record("cancelled"))
        }
        #expect(try await task.value == 0)
        #expect(try allEntries(directory.log).map(requestID) == ["cancelled"])
    }

    @Test func `a record of the largest size is taken and one byte more is refused`() async throws {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        let room = AuditRecord.maximumBytes - json(record("1", reason: "")).count
        #expect(try await log.append(record("1", reason: String(repeating: "x", count: room))) == 0)
        let error = await #expect(throws: SecretError.self) {
            try await log.append(record("1", reason: String(repeating: "x", count: room + 1)))
        }
        #expect(error?.code == .tooLarge)
        let group = [AuditRecord](repeating: record("1", reason: String(repeating: "x", count: room)), count: 4)
        let groupError = await #expect(throws: SecretError.self) { try await log.append(contentsOf: group) }
        #expect(groupError?.code == .tooLarge)
        #expect(try await log.append(record("2")) == 1)
    }

    @Test func `many large records at once are taken in bounded batches`() async throws {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        try await withThrowingTaskGroup { group in
            for count in 0..<40 {
                group.addTask {
                    _ = try await log.append(record("\(count)", reason: String(repeating: "x", count: 60_000)))
                }
            }
            try await group.waitForAll()
        }
        #expect(try AuditLogReader(directory: directory.log).verify().records == 40)
    }

    @Test func `an append after closing is refused and closing again is harmless`() async throws {
        let log = try AuditLog.open(directory: directory.log)
        _ = try await log.append(record("1"))
        log.close()
        log.close()
        let error = await #expect(throws: SecretError.self) { try await log.append(record("2")) }
        #expect(error?.code == .auditUnavailable)
        #expect(!log.health.isReady)
    }

    @Test func `a second opener is refused with a clear message until the first lets go`() async throws {
        let log = try AuditLog.open(directory: directory.log)
        let error = #expect(throws: AuditLogError.self) { try AuditLog.open(directory: directory.log) }
        #expect(error?.code == .inUse)
        #expect(error?.message.contains(directory.log) == true)
        log.close()
        let second = try AuditLog.open(directory: directory.log)
        #expect(try await second.append(record("1")) == 0)
    }

    @Test(arguments: [0o750, 0o705, 0o777]) func `a directory that others can reach is refused`(mode: Int) throws {
        try FileManager.default.createDirectory(atPath: directory.log, withIntermediateDirectories: false)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory.log)
        let error = #expect(throws: AuditLogError.self) { try AuditLog.open(directory: directory.log) }
        #expect(error?.code == .directoryTooOpen)
        #expect(error?.message.contains("chmod 700") == true)
    }

    @Test func `files are for the owner only, whatever the umask`() async throws {
        let log = try AuditLog.open(directory: directory.log)
        _ = try await log.append(record("1"))
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.log) {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.log + "/" + name)
            #expect((attributes[.posixPermissions] as? Int ?? 0o777) & 0o077 == 0, "\(name)")
        }
    }

    @Test(arguments: [0, (256 << 10) - 1, (1 << 30) + 1]) func `a bad segment size is refused`(size: Int) throws {
        let error = #expect(throws: AuditLogError.self) {
            try AuditLog.open(directory: directory.log, options: AuditLog.Options(segmentBytes: size))
        }
        #expect(error?.code == .invalidOption)
    }

    @Test func `rotation keeps indexes and the chain, also over reopening and other segment sizes`() async throws {
        var expected: [String] = []
        for (round, size) in [256 << 10, 1 << 20, 300 << 10].enumerated() {
            let log = try AuditLog.open(directory: directory.log, options: AuditLog.Options(segmentBytes: size))
            for count in 0..<30 {
                let id = "\(round)-\(count)"
                let index = try await log.append(record(id, reason: String(repeating: "r", count: 30_000)))
                #expect(index == UInt64(expected.count))
                expected.append(id)
            }
            log.close()
        }
        #expect(try directory.segments().count >= 6)
        #expect(try allEntries(directory.log).map(requestID) == expected)
        #expect(try AuditLogReader(directory: directory.log).verify().records == 90)
    }

    @Test func `full segments have their real length and room for the next is set aside`() async throws {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        for _ in 0..<12 { _ = try await log.append(record("1", reason: String(repeating: "r", count: 30_000))) }
        let segments = try directory.segments()
        for name in segments.dropLast() { #expect(try directory.read(name).last == 0x0A) }
        #expect(try directory.read(try #require(segments.last)).count == AuditLog.Options.minimumSegmentBytes)
        try await eventually("no reserved file") {
            (try? directory.read("next.reserved").count) == AuditLog.Options.minimumSegmentBytes
        }
    }
}
