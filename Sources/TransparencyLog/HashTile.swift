// What is in a tile of hashes.

/// The hashes of a tile.
public struct HashTile: Sendable, Equatable {
    /// The hashes: 1 to 256.
    public var hashes: [MerkleHash]

    /// Makes a tile.
    public init(_ hashes: [MerkleHash]) {
        self.hashes = hashes
    }

    /// Parses a tile.
    /// - Parameters:
    ///   - bytes: the file's bytes.
    ///   - width: how many hashes it must have; a full tile serves for a partial one.
    /// - Throws: `malformed`.
    public init(_ bytes: [UInt8], width: Int) throws(TransparencyLogError) {
        let size = MerkleHash.byteCount
        guard bytes.count == width * size || bytes.count == Tile.fullWidth * size else {
            throw TransparencyLogError(.malformed, "the tile has \(bytes.count) bytes instead of \(width * size)")
        }
        hashes = (0..<width).compactMap { MerkleHash(bytes[$0 * size..<($0 + 1) * size]) }
    }

    /// The tile's bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hashes.count * MerkleHash.byteCount)
        for hash in hashes { hash.append(to: &bytes) }
        return bytes
    }

    /// The root of a complete subtree within the tile.
    /// - Parameters:
    ///   - level: its height above the tile's hashes, 0 to 8.
    ///   - index: its place among those of its height.
    /// - Returns: nil if the tile does not hold all of it.
    public func subtree(level: Int, index: Int) -> MerkleHash? {
        guard (0...Tile.height).contains(level), index >= 0, index < hashes.count else { return nil }
        let start = index << level
        guard start + 1 << level <= hashes.count else { return nil }
        return Self.root(hashes[start..<start + 1 << level])
    }

    /// The root of a power of two of hashes.
    private static func root(_ hashes: ArraySlice<MerkleHash>) -> MerkleHash {
        var level = Array(hashes)
        while level.count > 1 {
            for place in 0..<level.count / 2 { level[place] = .node(level[2 * place], level[2 * place + 1]) }
            level.removeLast(level.count / 2)
        }
        return level[0]
    }
}

/// Reads a tree's hashes from tiles. Keeps the last tile of each level, as proofs ask for neighbours.
public struct TileHashReader: HashReader {
    /// Fetches a tile's bytes; a full tile's may be given for a partial one.
    public typealias Fetch = (Tile) throws(TransparencyLogError) -> [UInt8]

    private let size: UInt64
    private let fetch: Fetch
    private var kept: [Int: (index: UInt64, tile: HashTile)] = [:]

    /// Makes a reader.
    /// - Parameters:
    ///   - size: the tree's size, which tells how wide its last tiles are.
    ///   - fetch: fetches a tile's bytes.
    public init(size: UInt64, fetch: @escaping Fetch) {
        self.size = size
        self.fetch = fetch
    }

    /// The root of a complete subtree.
    /// - Throws: `unavailable` if the tree does not have it; `malformed`; what the fetching throws.
    public mutating func hash(level: Int, index: UInt64) throws(TransparencyLogError) -> MerkleHash {
        let tileLevel = level / Tile.height
        let height = level % Tile.height
        let first = index << UInt64(height)
        guard let tile = Tile(.hashes(level: tileLevel), holding: first, size: size) else {
            throw TransparencyLogError(.unavailable, "a tree of \(size) leaves has no hash \(index) at level \(level)")
        }
        if kept[tileLevel]?.index != tile.index {
            kept[tileLevel] = (tile.index, try HashTile(try fetch(tile), width: tile.width))
        }
        guard let hash = kept[tileLevel]?.tile.subtree(level: height, index: Int(index & (255 >> UInt64(height))))
        else {
            throw TransparencyLogError(.unavailable, "a tree of \(size) leaves has no hash \(index) at level \(level)")
        }
        return hash
    }
}
