import Testing
import TransparencyLog

@Suite struct TileTests {
    // The examples of C2SP tlog-tiles, and paths as tile_test.go of golang.org/x/mod/sumdb/tlog has them.
    @Test(arguments: [
        (Tile(.hashes(level: 0), index: 1_234_067), "tile/0/x001/x234/067"),
        (Tile(.hashes(level: 4), index: 1), "tile/4/001"),
        (Tile(.hashes(level: 63), index: 0, width: 1), "tile/63/000.p/1"),
        (Tile(.hashes(level: 0), index: 999), "tile/0/999"),
        (Tile(.hashes(level: 0), index: 1_000, width: 255), "tile/0/x001/000.p/255"),
        (Tile(.entries, index: 1_234_067, width: 7), "tile/entries/x001/x234/067.p/7"),
        (Tile(.entries, index: 0), "tile/entries/000"),
    ]) func `a tile's path is as published, and reads back`(tile: Tile, path: String) throws {
        #expect(tile.path == path)
        #expect(try Tile(path: path) == tile)
    }

    @Test(arguments: [
        "", "tile", "tile/0", "tile/0/", "tile/0/1", "tile/0/0001", "tile/64/001", "tile/-1/001", "tile/00/001",
        "tile/0/x000/001", "tile/0/001/002", "tile/0/x001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01",
        "tile/0/001.p", "tile/data/001", "tile/entries/+01", "tile/0/x001/x001/x001/x001/x001/x001/x001/x001/001",
        "/tile/0/001", "tile/0/001/", "tile/0/x-01/001", "checkpoint", "tile/0/../001",
    ]) func `no other spelling of a path is taken`(path: String) {
        #expect(throws: TransparencyLogError.self) { try Tile(path: path) }
    }

    // "A tree of size 70,000 will be represented by …" in C2SP tlog-tiles.
    @Test func `a tree's last tiles are as wide as the specification says`() {
        #expect(Tile(.hashes(level: 0), holding: 69_999, size: 70_000)?.path == "tile/0/273.p/112")
        #expect(Tile(.hashes(level: 0), holding: 69_887, size: 70_000)?.path == "tile/0/272")
        #expect(Tile(.hashes(level: 1), holding: 272, size: 70_000)?.path == "tile/1/001.p/17")
        #expect(Tile(.hashes(level: 2), holding: 0, size: 70_000)?.path == "tile/2/000.p/1")
        #expect(Tile(.hashes(level: 3), holding: 0, size: 70_000) == nil)
        #expect(Tile(.hashes(level: 1), holding: 0, size: 256)?.path == "tile/1/000.p/1")
        #expect(Tile(.entries, holding: 70_000, size: 70_000) == nil)
    }

    @Test(arguments: [1, 255, 256, 257, 65_536, 70_000])
    func `proofs from tiles are those from leaves`(size: Int) throws {
        let leaves = (0..<size).map { MerkleHash.leaf(Array("\($0)".utf8)) }
        // Level by level, as the specification defines them.
        var levels = [leaves]
        while let last = levels.last, last.count >= 256 {
            levels.append(
                (0..<last.count / 256).map { LeafHashes.treeHash(last[$0 * 256..<($0 + 1) * 256]) })
        }
        let all = levels
        var reader = TileHashReader(size: UInt64(size)) { (tile) throws(TransparencyLogError) in
            guard case .hashes(let level) = tile.kind, level < all.count else {
                throw TransparencyLogError(.unavailable, tile.path)
            }
            let start = Int(tile.index) * 256
            return HashTile(Array(all[level][start..<start + tile.width])).bytes
        }
        let root = LeafHashes.treeHash(leaves[...])
        let computed = try reader.root(size: UInt64(size))
        #expect(computed == root)
        for index in [0, size / 3, size - 1] {
            let proof = try InclusionProof(index: UInt64(index), size: UInt64(size), from: &reader)
            try proof.verify(leaf: leaves[index], size: UInt64(size), root: root)
        }
        let half = UInt64(size / 2)
        let proof = try ConsistencyProof(from: half, to: UInt64(size), from: &reader)
        try proof.verify(
            from: half, LeafHashes.treeHash(leaves[..<(size / 2)]), to: UInt64(size), root)
        let kept = reader
        #expect(throws: TransparencyLogError.self) {
            var reader = kept
            return try reader.hash(level: 0, index: UInt64(size))
        }
    }

    @Test func `a tile of another length is refused, but a full one serves for a part of it`() throws {
        let full = HashTile((0..<256).map { .leaf([UInt8($0)]) })
        #expect(try HashTile(full.bytes, width: 7).hashes == Array(full.hashes.prefix(7)))
        for length in [0, 31, 32 * 6, 32 * 8, 32 * 255 + 31, 8_193] {
            #expect(throws: TransparencyLogError.self) {
                try HashTile([UInt8](repeating: 0, count: length), width: 7)
            }
        }
    }

    @Test func `entries come out of a bundle as they went in`() throws {
        let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 65_535), Array("{}".utf8)]
        var bundle: [UInt8] = []
        for entry in entries { EntryBundle.append(entry[...], to: &bundle) }
        #expect(try EntryBundle.entries(in: bundle, width: 4).map { Array(bundle[$0]) } == entries)
        let isAppended = EntryBundle.append([UInt8](repeating: 0, count: 65_536)[...], to: &bundle)
        #expect(!isAppended)
        #expect(throws: TransparencyLogError.self) { try EntryBundle.entries(in: bundle, width: 3) }
        #expect(throws: TransparencyLogError.self) { try EntryBundle.entries(in: bundle, width: 5) }
        for cut in [1, 2, 3, bundle.count - 1] {
            #expect(throws: TransparencyLogError.self) {
                try EntryBundle.entries(in: Array(bundle.prefix(cut)), width: 4)
            }
        }
        let full = [UInt8](repeating: 0, count: 512)
        #expect(try EntryBundle.entries(in: full, width: 3).count == 3)
        #expect(throws: TransparencyLogError.self) { try EntryBundle.entries(in: full + [0, 0], width: 256) }
    }
}
