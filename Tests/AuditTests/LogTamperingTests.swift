import Foundation
import PosternAudit
import PosternProtocol
import Testing
import TransparencyLog

/// Every way to tamper with a log that somebody who can write to the disk has, and what verification says of it.
@Suite struct LogTamperingTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func fill(_ count: Int = 600) async throws {
        var options = AuditLog.Options.small
        options.publicationInterval = .seconds(600)
        try await directory.fill(count, options: options)
    }

    /// The place of an entry in a bundle.
    private func entries(_ bundle: [UInt8]) throws -> [Range<Int>] {
        try EntryBundle.entries(in: bundle, width: 256)
    }

    private func bundle(_ entries: [[UInt8]]) -> [UInt8] {
        var bundle: [UInt8] = []
        for entry in entries { EntryBundle.append(entry[...], to: &bundle) }
        return bundle
    }

    private func parts(_ bundle: [UInt8]) throws -> [[UInt8]] { try entries(bundle).map { Array(bundle[$0]) } }

    @Test func `an edited, dropped, inserted, repeated or swapped record is named`() async throws {
        try await fill()
        let name = "log/tile/entries/001"
        let whole = try parts(try directory.read(name))
        var edited = whole
        edited[7] = Array(String(decoding: whole[7], as: UTF8.self).replacing("gateway", with: "getaway").utf8)
        var dropped = whole
        dropped.remove(at: 100)
        var inserted = whole
        inserted.insert(whole[3], at: 20)
        var swapped = whole
        swapped.swapAt(30, 31)
        var truncated = whole
        truncated.removeLast()
        let cases: [(String, [[UInt8]], UInt64)] = [
            ("edited", edited, 263), ("dropped", dropped, 356), ("inserted", inserted, 276),
            ("swapped", swapped, 286), ("truncated", truncated, 511), ("appended", whole + [whole[0]], 512),
        ]
        for (what, changed, index) in cases {
            let problem = try directory.with(name, changed: { _ in bundle(changed) }) { try directory.problem() }
            #expect(problem.kind == .record, "\(what)")
            #expect(problem.index == index, "\(what)")
            #expect(problem.file?.hasSuffix("tile/entries/001") == true, "\(what)")
        }
        #expect(try directory.verify().size == 600)
    }

    @Test func `a swapped or missing bundle or tile is named`() async throws {
        try await fill()
        let other = try directory.read("log/tile/entries/000")
        let otherTile = try directory.read("log/tile/0/000")
        func problem(_ name: String, _ bytes: [UInt8]?) throws -> LogProblem {
            try directory.with(name, changed: { _ in bytes }) { try directory.problem() }
        }
        #expect(try problem("log/tile/entries/001", other).index == 256)
        #expect(try problem("log/tile/entries/001", nil).index == 256)
        #expect(try problem("log/tile/0/001", nil).kind == .tile)
        let exchanged = try problem("log/tile/0/001", otherTile)
        #expect(exchanged.kind == .tile && exchanged.index == 256)
        #expect(try problem("log/tile/1/000.p/2", nil).kind == .tile)
        #expect(try problem("log/tile/0/002.p/88", Array(otherTile.prefix(88 * 32))).index == 512)
        #expect(try problem("log/checkpoint", nil).kind == .checkpoint)
        #expect(try problem("log/keys/first.vkey", nil).kind == .key)
    }

    @Test func `a changed record with its tiles made to match does not have the signed root`() async throws {
        try await fill()
        let tiles = try directory.read("log/tile/0/002.p/88")
        let bytes = try directory.read("log/tile/entries/002.p/88")
        var changed = try EntryBundle.entries(in: bytes, width: 88).map { Array(bytes[$0]) }
        changed[50] = Array("{}".utf8)
        var hashes = try HashTile(tiles, width: 88)
        hashes.hashes[50] = .leaf(changed[50])
        try directory.with("log/tile/entries/002.p/88", changed: { _ in bundle(changed) }) {
            try directory.with("log/tile/0/002.p/88", changed: { _ in hashes.bytes }) {
                let problem = try directory.problem()
                #expect(problem.kind == .root)
            }
        }
    }

    @Test func `a flipped bit of any byte of any file is noticed`() async throws {
        try await fill()
        let log = try AuditLog.open(directory: directory.log, options: .small)
        _ = try await log.rotateKey(at: Timestamp(seconds: 1), deadline: .after(.seconds(120)))
        log.close()
        #expect(try directory.verify().size == 601)
        for name in try directory.publishedFiles() {
            let length = try directory.read("log/" + name).count
            // All of the small files; of the large ones every byte of the first record and hash, and then some.
            let step = length > 2_000 ? 997 : 1
            let places = step == 1 ? Array(0..<length) : Array(0..<40) + Array(stride(from: 40, to: length, by: step))
            for place in places + [length - 1] {
                let flipped: ([UInt8]) -> [UInt8]? = { bytes in
                    var bytes = bytes
                    bytes[place] ^= 0x01
                    return bytes
                }
                let problem = try directory.with("log/" + name, changed: flipped) {
                    try? directory.problem()
                }
                #expect(problem != nil, "byte \(place) of \(name)")
            }
            for cut in [0, length - 1] {
                try directory.with("log/" + name, changed: { Array($0.prefix(cut)) }) {
                    let problem = try directory.problem()
                    #expect(problem.file != nil, "\(name) cut to \(cut)")
                }
            }
            try directory.with("log/" + name, changed: { $0 + [0x0A] }) {
                let problem = try directory.problem()
                #expect(problem.file != nil, "a byte after the end of \(name)")
            }
        }
        #expect(try directory.verify().size == 601)
    }

    @Test func `a flipped byte of a segment is noticed, and so is another record in it`() async throws {
        try await fill(100)
        let name = try #require(try directory.segments().last)
        let bytes = try directory.read(name)
        let used = try #require(bytes.lastIndex { $0 != 0 }) + 1
        for place in Array(0..<400) + Array(stride(from: 400, to: used, by: 211)) {
            var changed = bytes
            changed[place] ^= 0x20
            try directory.with(name, changed: { _ in changed }) {
                let problem = try directory.problem()
                #expect(problem.kind == .segment, "byte \(place)")
            }
        }
        // Segments that are whole by themselves, but of another log.
        let other = try TemporaryDirectory()
        try await other.fill(100, prefix: "s")
        let foreign = try other.read(try #require(try other.segments().last))
        let problem = try directory.with(name, changed: { _ in foreign }) { try directory.problem() }
        #expect(problem.kind == .segment && problem.index == 0)
        let missing = try directory.with(name, changed: { _ in nil }) { try directory.problem() }
        #expect(missing.kind == .segment)
    }

    @Test func `a log that was rolled back or forked is not the one whose checkpoint was kept`() async throws {
        try await fill(300)
        let early = directory.path + "/early"
        try FileManager.default.copyItem(atPath: directory.log, toPath: early)
        try await directory.fill(300, prefix: "one")
        let kept = LogVerifier.Kept(name: "kept", bytes: try directory.read("log/checkpoint"))
        #expect(try directory.verify { $0.kept = [kept] }.earlierCheckpoints == 1)

        // Back to what it was, with everything that belongs to it.
        try FileManager.default.moveItem(atPath: directory.log, toPath: directory.path + "/late")
        try FileManager.default.moveItem(atPath: early, toPath: directory.log)
        #expect(try directory.verify().size == 300, "by itself it is a good log")
        let back = try directory.problem { $0.kept = [kept] }
        #expect(back.kind == .rollback && back.index == 300)

        // And on from there with another history, signed by the same key.
        try await directory.fill(400, prefix: "two")
        #expect(try directory.verify().size == 700)
        #expect(try directory.problem { $0.kept = [kept] }.kind == .fork)
    }

    @Test func `another key is noticed by whoever knows the right one`() async throws {
        try await fill(20)
        let key = try directory.verifierKey()
        let kept = LogVerifier.Kept(name: "kept", bytes: try directory.read("log/checkpoint"))
        let thief = try Ed25519Signer(name: key.name)
        let note = try directory.checkpoint().signed(by: [thief])
        try directory.write("log/checkpoint", note.bytes)
        #expect(try directory.problem().kind == .key)
        try directory.write("log/keys/first.vkey", Array("\(thief.verifierKey)\n".utf8))
        #expect(try directory.verify().size == 20, "nothing beside the log tells")
        #expect(try directory.problem { $0.keys = [key] }.kind == .key)
        #expect(try directory.problem { $0.kept = [kept] }.kind == .key)
    }

    @Test func `a handover that the old key did not sign, or that is not in the log, is refused`() async throws {
        try await fill(20)
        let key = try directory.verifierKey()
        let log = try AuditLog.open(directory: directory.log, options: .small)
        _ = try await log.rotateKey(at: Timestamp(seconds: 1), deadline: .after(.seconds(120)))
        log.close()
        let name = "log/keys/00000000000000000020.tlog-proof"
        let receipt = try Receipt(parsing: try directory.read(name))
        let thief = try Ed25519Signer(name: key.name)
        let checkpoint = try Checkpoint(text: receipt.checkpoint.text)
        let forged = Receipt(
            extra: receipt.extra, proof: receipt.proof, checkpoint: try checkpoint.signed(by: [thief]))
        #expect(try directory.with(name, changed: { _ in forged.bytes }) { try directory.problem().kind } == .key)
        #expect(try directory.with(name, changed: { _ in nil }) { try directory.problem().kind } == .key)
        let moved = Receipt(
            extra: Array("{}".utf8), proof: receipt.proof, checkpoint: receipt.checkpoint)
        #expect(try directory.with(name, changed: { _ in moved.bytes }) { try directory.problem().kind } == .receipt)
    }
}
