// Checks the partial tiles and bundles of earlier checkpoints, which stay until the full ones are there.

import TransparencyLog

/// Checks that every partial tile beside the current ones is the beginning of it.
struct PartialCheck {
    let log: LogDirectory

    /// - Parameter tree: the tree, with its open tiles.
    /// - Throws: ``LogProblem``, `AuditLogError`.
    func run(_ tree: OpenTiles) throws {
        for (tile, hashes) in tree.partials {
            for width in try log.partialWidths(of: tile) where width < tile.width {
                let (part, expected) = (Tile(tile.kind, index: tile.index, width: width), hashes.hashes.prefix(width))
                try checkHashes(part, expected)
                if tile.kind == .hashes(level: 0) {
                    try checkRecords(Tile(.entries, index: tile.index, width: width), expected)
                }
            }
        }
    }

    private func checkHashes(_ tile: Tile, _ expected: ArraySlice<MerkleHash>) throws {
        let bytes = try contents(tile) ?? []
        guard bytes != HashTile(Array(expected)).bytes else { return }
        let place = expected.indices.first { index in
            let start = (index - expected.startIndex) * MerkleHash.byteCount
            return bytes.dropFirst(start).prefix(MerkleHash.byteCount) != expected[index].bytes[...]
        }
        guard case .hashes(let level) = tile.kind else { return }
        throw problem(tile, .tile, place: place ?? expected.count, each: 1 << (8 * level))
    }

    private func checkRecords(_ tile: Tile, _ expected: ArraySlice<MerkleHash>) throws {
        guard let bytes = try contents(tile) else { return }
        guard let entries = try? EntryBundle.entries(in: bytes, width: tile.width) else {
            throw problem(tile, .record, place: 0, each: 1)
        }
        let place = zip(entries, expected).enumerated().first { MerkleHash.leaf(bytes[$1.0]) != $1.1 }?.offset
        if let place { throw problem(tile, .record, place: place, each: 1) }
    }

    private func problem(_ tile: Tile, _ kind: LogProblem.Kind, place: Int, each: UInt64) -> LogProblem {
        LogProblem(
            kind, index: (tile.index * UInt64(Tile.fullWidth) + UInt64(place)) * each, file: log.file(tile),
            "This part of a tile, which an earlier checkpoint needed, is not its beginning.")
    }

    private func contents(_ tile: Tile) throws(AuditFileError) -> [UInt8]? {
        try FileList.contents(log.file(tile), limit: LogDirectory.maximumBundleBytes)
    }
}
