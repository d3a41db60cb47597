import Foundation
import PosternAudit
import PosternProtocol
import Testing

@Suite struct AuditRecoveryTests {
    static let first = "00000000000000000000.wal"
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Writes records one by one, so that each is a batch of its own.
    /// - Returns: where each batch starts, and where the last one ends.
    private func write(_ count: Int, reason: String? = nil) async throws -> [Int] {
        let log = try AuditLog.open(directory: directory.log, options: .segmentsAlone)
        var places = [128]
        for index in 0..<count {
            let sample = record("\(index)", reason: reason)
            _ = try await log.append(sample)
            places.append(try #require(places.last) + 96 + json(sample).count + 1)
        }
        log.close()
        return places
    }

    private func opened() throws -> AuditLog { try AuditLog.open(directory: directory.log, options: .segmentsAlone) }

    private func refusal() throws -> AuditLogError {
        try #require(#expect(throws: AuditLogError.self) { try opened() })
    }

    @Test(arguments: [false, true])
    func `every truncation of the last batch recovers to the one before it`(zeroFilled: Bool) async throws {
        let places = try await write(3)
        let whole = try directory.read(Self.first)
        for length in places[2]..<places[3] {
            var cut = Array(whole[..<length])
            if zeroFilled { cut += [UInt8](repeating: 0, count: whole.count - length) }
            try directory.write(Self.first, cut)
            let log = try opened()
            #expect(log.nextIndex == 2, "cut at \(length)")
            log.close()
            let recovered = try directory.read(Self.first)
            #expect(recovered[..<places[2]] == whole[..<places[2]])
            #expect(recovered[places[2]...].allSatisfy { $0 == 0 }, "cut at \(length)")
        }
        let log = try opened()
        #expect(try await log.append(record("next")) == 2)
        #expect(try allEntries(directory.log).map(requestID) == ["0", "1", "next"])
        #expect(try AuditLogReader(directory: directory.log).verify().records == 3)
    }

    @Test func `the bytes of a torn tail are reported, and seen by a reader as the end`() async throws {
        let places = try await write(3)
        var bytes = try directory.read(Self.first)
        bytes[places[3] - 1] = 0
        try directory.write(Self.first, bytes)
        let reader = AuditLogReader(directory: directory.log)
        #expect(try allEntries(directory.log).count == 2)
        #expect(try reader.verify().tornBytes == places[3] - places[2] - 1)
        #expect(try opened().recoveredTornBytes == places[3] - places[2] - 1)
        #expect(try reader.verify().tornBytes == 0)
    }

    /// Every field of a batch's header, and the start, middle and end of its payload.
    static let targets: [(String, Int)] = [
        ("magic", 0), ("magic's end", 7), ("version", 11), ("count", 15), ("count, high", 12), ("first index", 23),
        ("first index, high", 16), ("length", 27), ("length, high", 24), ("reserved", 31), ("previous hash", 32),
        ("previous hash's end", 63), ("hash", 64), ("hash's end", 95), ("payload", 96), ("middle", 200),
    ]

    @Test(arguments: targets, [0x01, 0x80, 0xFF] as [UInt8])
    func `any flipped byte of a middle batch is refused with its file, offset and index`(
        target: (String, Int), mask: UInt8
    ) async throws {
        let places = try await write(4)
        var bytes = try directory.read(Self.first)
        bytes[places[1] + target.1] ^= mask
        try directory.write(Self.first, bytes)
        let error = try refusal()
        #expect(error.code == .corrupt)
        #expect(error.file == directory.log + "/" + Self.first)
        #expect(error.offset == places[1])
        #expect(error.index == 1)
        // Readers see the same place, and are given what is good before it.
        let verified = #expect(throws: AuditLogError.self) {
            try AuditLogReader(directory: directory.log).verify()
        }
        #expect(verified == error)
        var cursor = AuditLogReader(directory: directory.log).entries()
        #expect(try cursor.next()?.index == 0)
        let read = #expect(throws: AuditLogError.self) { try cursor.next() }
        #expect(read?.offset == places[1])
        #expect(read?.index == 1)
    }

    @Test func `any flipped byte of a segment's header is refused`() async throws {
        _ = try await write(2)
        let whole = try directory.read(Self.first)
        for place in 0..<128 {
            var bytes = whole
            bytes[place] ^= 0x10
            try directory.write(Self.first, bytes)
            let error = try refusal()
            #expect(error.code == .corrupt, "byte \(place)")
            #expect(error.offset == 0)
        }
    }

    @Test func `a batch removed, repeated or swapped is refused`() async throws {
        let places = try await write(5)
        let whole = try directory.read(Self.first)
        func batch(_ number: Int) -> ArraySlice<UInt8> { whole[places[number]..<places[number + 1]] }
        for order in [[0, 2, 3, 4], [0, 1, 1, 2, 3, 4], [0, 2, 1, 3, 4], [1, 2, 3, 4]] {
            try directory.write(Self.first, Array(whole[..<128]) + order.flatMap { batch($0) })
            #expect(try refusal().code == .corrupt, "\(order)")
        }
        try directory.write(Self.first, whole)
        #expect(try opened().nextIndex == 5)
    }

    @Test func `a missing or exchanged segment is refused, wherever it is`() async throws {
        _ = try await write(20, reason: String(repeating: "r", count: 30_000))
        let segments = try directory.segments()
        try #require(segments.count >= 3)
        for name in segments.dropLast() {
            let bytes = try directory.read(name)
            try FileManager.default.removeItem(atPath: directory.log + "/" + name)
            #expect(try refusal().code == .corrupt, "\(name) removed")
            #expect(throws: AuditLogError.self) { try AuditLogReader(directory: directory.log).verify() }
            try directory.write(name, try directory.read(try #require(segments.last)))
            #expect(try refusal().code == .corrupt, "\(name) exchanged")
            try directory.write(name, bytes)
        }
        #expect(try opened().nextIndex == 20)
    }

    @Test func `damage in an older segment is found by verification`() async throws {
        _ = try await write(20, reason: String(repeating: "r", count: 30_000))
        let name = try directory.segments()[1]
        let whole = try directory.read(name)
        for place in [128 + 40, 128 + 96 + 5, whole.count - 10] {
            var bytes = whole
            bytes[place] ^= 1
            try directory.write(name, bytes)
            let error = #expect(throws: AuditLogError.self) {
                try AuditLogReader(directory: directory.log).verify()
            }
            #expect(error?.code == .corrupt)
            #expect(error?.file?.hasSuffix(name) == true)
        }
        // The same for a whole batch cut off its end.
        try directory.write(name, Array(whole[..<(whole.count / 2)]))
        #expect(throws: AuditLogError.self) { try AuditLogReader(directory: directory.log).verify() }
        #expect(throws: AuditLogError.self) { try allEntries(directory.log) }
    }

    @Test func `leftovers of a crash in a rotation do no harm`() async throws {
        _ = try await write(3)
        let whole = try directory.read(Self.first)
        // The next segment was headed but not yet renamed.
        try directory.write("next.reserved", Array(whole[..<128]))
        // The full one was cut to its length, and has no successor yet.
        let last = try #require(whole.lastIndex { $0 != 0 })
        try directory.write(Self.first, Array(whole[...last]))
        let log = try opened()
        #expect(try await log.append(record("next")) == 3)
        #expect(try directory.segments() == [Self.first, "00000000000000000003.wal"])
        #expect(try AuditLogReader(directory: directory.log).verify().records == 4)
    }
}
