// The tiles of a growing tree that are not full yet: its right edge, tile by tile.

/// A tree's open tiles, and the full ones as they come.
public struct OpenTiles: Sendable, Equatable {
    /// How many leaves the tree has.
    public private(set) var size: UInt64
    /// The hashes in the open tile of each level, the lowest first: less than 256 each.
    public private(set) var levels: [[MerkleHash]]

    /// Starts at the end of a full tile, or of nothing.
    /// - Parameters:
    ///   - size: a multiple of 256.
    ///   - upper: the open tiles of level 1 and above.
    public init(size: UInt64 = 0, upper: [[MerkleHash]] = []) {
        self.size = size
        levels = [[]] + upper
    }

    /// Appends a leaf, or the root of a full tile.
    /// - Parameters:
    ///   - hash: the hash.
    ///   - level: the level whose tile it goes into; the tiles below must be empty.
    ///   - close: is given each tile that becomes full.
    public mutating func append<E: Error>(
        _ hash: MerkleHash, level: Int = 0, close: (Tile, HashTile) throws(E) -> Void
    ) throws(E) {
        size += 1 << UInt64(Tile.height * level)
        var (hash, level) = (hash, level)
        while true {
            while level >= levels.count { levels.append([]) }
            levels[level].append(hash)
            guard levels[level].count == Tile.fullWidth else { return }
            let tile = HashTile(levels[level])
            levels[level].removeAll(keepingCapacity: true)
            let index = size >> UInt64(Tile.height * (level + 1)) - 1
            try close(Tile(.hashes(level: level), index: index), tile)
            guard let root = tile.subtree(level: Tile.height, index: 0) else { return }
            (hash, level) = (root, level + 1)
        }
    }

    /// The open tiles that have hashes.
    public var partials: [(tile: Tile, hashes: HashTile)] {
        levels.enumerated().compactMap { level, hashes in
            guard !hashes.isEmpty else { return nil }
            let index = size >> UInt64(Tile.height * (level + 1))
            return (Tile(.hashes(level: level), index: index, width: hashes.count), HashTile(hashes))
        }
    }

    /// The tree's root.
    public var root: MerkleHash { root(with: []) }

    /// The root of the tree with some more leaves.
    /// - Parameter leaves: the leaves' hashes.
    public func root(with leaves: ArraySlice<MerkleHash>) -> MerkleHash {
        var range = CompactRange()
        for (level, hashes) in levels.enumerated().reversed() {
            // They fit by construction: each level starts where the one above it ends.
            for hash in hashes { _ = range.append(subtree: hash, level: Tile.height * level) }
        }
        for leaf in leaves { range.append(leaf) }
        return range.root
    }
}
