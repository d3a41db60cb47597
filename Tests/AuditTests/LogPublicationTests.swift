import Foundation
import PosternAudit
import PosternProtocol
import Testing
import TransparencyLog

@Suite struct LogPublicationTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: [0, 1, 255, 256, 257, 600])
    func `a log of any size is laid out as C2SP tlog-tiles says`(size: Int) async throws {
        #expect(try await directory.fill(size).size == UInt64(size))
        let entries = try allEntries(directory.log)
        #expect(entries.count == size)
        let checkpoint = try directory.checkpoint()
        #expect(checkpoint.size == UInt64(size))
        #expect(checkpoint.root == root(of: entries))
        let key = try directory.verifierKey()
        #expect(checkpoint.origin == key.name)
        try SignedNote(parsing: directory.read("log/checkpoint")).verify(with: [key])

        for index in 0..<(size + 255) / 256 {
            let width = min(256, size - index * 256)
            let bundle = try directory.read("log/" + Tile(.entries, index: UInt64(index), width: width).path)
            let places = try EntryBundle.entries(in: bundle, width: width)
            #expect(places.map { Array(bundle[$0]) } == entries[index * 256..<index * 256 + width].map(\.json))
            let tile = try directory.read("log/" + Tile(.hashes(level: 0), index: UInt64(index), width: width).path)
            #expect(
                try HashTile(tile, width: width).hashes
                    == entries[index * 256..<index * 256 + width].map { .leaf($0.json) })
        }
        if size >= 256 {
            let tile = try directory.read("log/" + Tile(.hashes(level: 1), index: 0, width: size / 256).path)
            for (place, hash) in try HashTile(tile, width: size / 256).hashes.enumerated() {
                #expect(hash == root(of: Array(entries[place * 256..<(place + 1) * 256])))
            }
        }
        // A full tile has no parts left beside it.
        #expect(try !directory.publishedFiles().contains { $0.hasPrefix("tile/0/000.p") && size >= 256 })
        let report = try directory.verify()
        #expect(report.size == UInt64(size) && report.records == UInt64(size))
        #expect(!report.isKeyGiven && report.segments != nil && report.uncovered == 0)
    }

    @Test func `a record is published soon after it is durable, and each checkpoint continues the one before`()
        async throws
    {
        let log = try AuditLog.open(directory: directory.log, options: .small)
        defer { log.close() }
        var kept: [LogVerifier.Kept] = []
        for count in 0..<40 {
            let index = try await log.append(record("\(count)"))
            try await log.published(covering: index, deadline: .after(.seconds(120)))
            kept.append(LogVerifier.Kept(name: "\(count)", bytes: try directory.read("log/checkpoint")))
        }
        #expect(log.publication.age == .zero && log.publication.problem == nil)
        let report = try directory.verify { $0.kept = kept }
        #expect(report.earlierCheckpoints == 40)
        let prover = LogProver(directory: directory.log)
        let last = try prover.checkpoint().checkpoint
        for kept in kept {
            let earlier = try Checkpoint(text: try SignedNote(parsing: kept.bytes).text)
            let proof = try prover.consistency(from: earlier.size, to: last.size)
            try proof.verify(from: earlier.size, earlier.root, to: last.size, last.root)
        }
        // The parts of tiles that earlier checkpoints need are still there.
        #expect(try directory.publishedFiles().filter { $0.hasPrefix("tile/0/000.p/") }.count >= 40)
    }

    @Test func `reopening goes on where it was, at every size around a full tile`() async throws {
        var sizes: [UInt64] = []
        for round in 0..<12 {
            try await directory.fill(43, prefix: "\(round)")
            sizes.append(try directory.checkpoint().size)
        }
        #expect(sizes == (1...12).map { UInt64($0 * 43) })
        #expect(try directory.verify().size == 516)
        #expect(try directory.checkpoint().root == root(of: try allEntries(directory.log)))
    }

    @Test func `segments go once their records are published, and readers see one log`() async throws {
        try await directory.fill(3_000, reason: String(repeating: "x", count: 1_000))
        #expect(try directory.segments().count < 12, "a segment has 200 records at most")
        #expect(try directory.segments().first != "00000000000000000000.wal")
        let entries = try allEntries(directory.log)
        #expect(entries.map(\.index) == (0..<3_000).map(UInt64.init))
        #expect(try entries.map(requestID) == (0..<3_000).map { "r-\($0)" })
        let reader = AuditLogReader(directory: directory.log)
        for start in [0, 1, 255, 256, 700, 2_999] as [UInt64] {
            var cursor = reader.entries(from: start)
            #expect(try cursor.next()?.index == start)
        }
        #expect(try reader.last(3).map(\.index) == [2_997, 2_998, 2_999])
        #expect(try reader.endIndex() == 3_000)
        try await directory.fill(300, prefix: "more")
        #expect(try directory.verify().size == 3_300)
        #expect(try directory.checkpoint().root == root(of: try allEntries(directory.log)))
    }

    @Test func `more than 65,536 records have a third level`() async throws {
        let log = try AuditLog.open(directory: directory.log, options: AuditLog.Options())
        for batch in 0..<133 {
            _ = try await log.append(contentsOf: (0..<500).map { record("\(batch)-\($0)") })
        }
        log.close()
        #expect(try directory.checkpoint().size == 66_500)
        #expect(try directory.publishedFiles().contains("tile/2/000.p/1"))
        #expect(try directory.publishedFiles().contains("tile/1/001.p/3"))
        #expect(try directory.verify().records == 66_500)
        try await directory.fill(10)
        #expect(try directory.checkpoint().size == 66_510)
        #expect(try directory.verify().size == 66_510)
        let receipt = try LogProver(directory: directory.log).receipt(for: 65_540)
        try receipt.verify(entry: try #require(receipt.extra), keys: [try directory.verifierKey()])
    }

    @Test func `a published log by itself verifies without segments`() async throws {
        try await directory.fill(300)
        let copy = directory.path + "/copy"
        try FileManager.default.copyItem(atPath: directory.published, toPath: copy)
        let report = try LogVerifier(directory: copy).verify()
        #expect(report.size == 300 && report.segments == nil)
    }

    @Test func `a log from before it was published is published whole`() async throws {
        try await directory.fill(700, options: .segmentsAlone)
        #expect(try directory.problem().kind == .checkpoint)
        try await directory.fill(1)
        #expect(try directory.verify().records == 701)
    }

    @Test func `while it cannot be published records are taken, health tells, and all is made good afterwards`()
        async throws
    {
        let files = FaultyFiles()
        var options = AuditLog.Options.small
        options.files = files
        let log = try AuditLog.open(directory: directory.log, options: options)
        defer { log.close() }
        try await log.published(covering: try await log.append(record("0")), deadline: .after(.seconds(120)))
        files.fail(.rename, with: ENOSPC)
        let index = try await log.append(record("1"))
        try await eventually("health does not tell") { log.health.detail.contains("checkpoint cannot be published") }
        #expect(log.health.isReady, "records are durable all the same")
        #expect(log.publication.size == 1 && log.publication.age > .zero)
        files.heal()
        try await log.published(covering: index, deadline: .after(.seconds(120)))
        try await eventually("health does not recover") { log.health.detail == "ok" }
        #expect(try directory.verify().size == 2)
    }

    @Test func `a checkpoint that contradicts the segments stops publication and turns health red`() async throws {
        let other = try TemporaryDirectory()
        var options = AuditLog.Options.small
        let signer = try Ed25519Signer(name: "log.example/a")
        options.signer = signer
        try await directory.fill(100, prefix: "a", options: options)
        try await other.fill(100, prefix: "b", options: options)
        try FileManager.default.removeItem(atPath: directory.published)
        try FileManager.default.copyItem(atPath: other.published, toPath: directory.published)
        let checkpoint = try directory.read("log/checkpoint")

        let log = try AuditLog.open(directory: directory.log, options: options)
        defer { log.close() }
        try await eventually("health stays green") { !log.health.isReady }
        #expect(log.health.detail.contains("postern audit verify"))
        _ = try await log.append(record("more"))
        log.close()
        #expect(try directory.read("log/checkpoint") == checkpoint, "nothing is signed that contradicts it")
    }

    @Test func `records missing from the end of the segments are noticed at opening`() async throws {
        try await directory.fill(100)
        let first = try #require(try directory.segments().last)
        let bytes = try directory.read(first)
        try directory.write(first, Array(bytes.prefix(2_000)) + [UInt8](repeating: 0, count: bytes.count - 2_000))
        #expect(throws: AuditLogError.self) { try AuditLog.open(directory: directory.log, options: .small) }
        #expect(try directory.problem().kind == .segment)
        for segment in try directory.segments() {
            try FileManager.default.removeItem(atPath: directory.log + "/" + segment)
        }
        let error = #expect(throws: AuditLogError.self) {
            try AuditLog.open(directory: directory.log, options: .small)
        }
        #expect(error?.code == .corrupt)
        #expect(try directory.segments().isEmpty, "nothing is begun anew")
    }
}
