import Foundation
import PosternAudit
import PosternProtocol
import Testing

@Suite struct AuditReaderTests {
    let directory: TemporaryDirectory
    let log: AuditLog
    let reader: AuditLogReader

    init() throws {
        directory = try TemporaryDirectory()
        log = try AuditLog.open(directory: directory.log, options: .small)
        reader = AuditLogReader(directory: directory.log)
    }

    @Test func `an empty log has nothing, and no directory is an error`() throws {
        #expect(try allEntries(directory.log).isEmpty)
        #expect(try reader.last(10).isEmpty)
        #expect(try reader.endIndex() == 0)
        #expect(try reader.verify().records == 0)
        #expect(throws: AuditLogError.self) { try AuditLogReader(directory: directory.log + "/none").verify() }
    }

    @Test func `entries start at any index, and the last ones cross segments`() async throws {
        for count in 0..<30 {
            _ = try await log.append(
                contentsOf: (0..<3).map { record("\(count * 3 + $0)", reason: String(repeating: "r", count: 10_000)) })
        }
        #expect(try directory.segments().count >= 3)
        for start in [0, 1, 2, 3, 40, 88, 89] as [UInt64] {
            var cursor = reader.entries(from: start)
            for index in start..<90 {
                let entry = try #require(try cursor.next())
                #expect(entry.index == index)
                #expect(try requestID(entry) == "\(index)")
            }
            #expect(try cursor.next() == nil)
        }
        #expect(try reader.last(50).map(\.index) == Array(40..<90))
        #expect(try reader.last(1).map(\.index) == [89])
        #expect(try reader.last(0).isEmpty)
        #expect(try reader.last(1_000).count == 90)
        #expect(try reader.endIndex() == 90)
        #expect(try reader.verify().records == 90)
    }

    @Test func `a cursor past the end waits for its index`() async throws {
        var cursor = reader.entries(from: 2)
        #expect(try cursor.next() == nil)
        for count in 0..<4 { _ = try await log.append(record("\(count)")) }
        #expect(try cursor.next()?.index == 2)
        #expect(try cursor.next()?.index == 3)
        #expect(try cursor.next() == nil)
    }

    @Test func `following and verifying while others write sees every record once and no damage`() async throws {
        let total = 4_000
        let writing = Task { [log] in
            try await withThrowingTaskGroup { group in
                for task in 0..<16 {
                    group.addTask {
                        for count in 0..<(total / 16) { _ = try await log.append(record("\(task)-\(count)")) }
                    }
                }
                try await group.waitForAll()
            }
        }
        var cursor = reader.entries()
        var expected: UInt64 = 0
        while expected < total {
            if let entry = try cursor.next() {
                #expect(entry.index == expected)
                expected += 1
            } else {
                #expect(try reader.verify().records >= expected)
                await Task.yield()
            }
        }
        try await writing.value
        #expect(try reader.verify().records == UInt64(total))
    }
}
