// Turns records into bundles and tiles: all of the tree that is still open, and the full tiles as they come.

import TransparencyLog

/// The open right edge of a tree, and the records of its open bundle.
struct TreeBuilder {
    /// The open tiles.
    private(set) var tree: OpenTiles
    private var bundle: [UInt8] = []

    /// Starts at the end of a full tile, or of nothing.
    init(_ tree: OpenTiles) {
        self.tree = tree
    }

    /// How many records there are.
    var size: UInt64 { tree.size }

    /// Appends a record.
    /// - Parameters:
    ///   - record: at most 65,535 bytes.
    ///   - write: is given each bundle and tile that becomes full.
    mutating func append(
        _ record: UnsafeRawBufferPointer, write: (Tile, [UInt8]) throws(AuditFileError) -> Void
    ) throws(AuditFileError) {
        bundle.append(UInt8(truncatingIfNeeded: record.count >> 8))
        bundle.append(UInt8(truncatingIfNeeded: record.count))
        unsafe bundle.append(contentsOf: record)
        try tree.append(unsafe MerkleHash.leaf(record)) { (tile, hashes) throws(AuditFileError) in
            try write(tile, hashes.bytes)
        }
        guard tree.size & 255 == 0 else { return }
        try write(Tile(.entries, index: tree.size / 256 - 1), bundle)
        bundle.removeAll(keepingCapacity: true)
    }

    /// The partial tiles of the tree as it is now, and its partial bundle.
    func partials() -> [(Tile, [UInt8])] {
        var tiles = tree.partials.map { ($0.tile, $0.hashes.bytes) }
        let count = Int(size & 255)
        if count > 0 { tiles.append((Tile(.entries, index: size / 256, width: count), bundle)) }
        return tiles
    }
}
