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
                let part = Tile(tile.kind, index: tile.index, width: width)
                try check(part, isGood: HashTile(Array(hashes.hashes.prefix(width))).bytes == contents(part))
                guard tile.kind == .hashes(level: 0) else { continue }
                let bundle = Tile(.entries, index: tile.index, width: width)
                guard let bytes = try contents(bundle) else { continue }
                let leaves = hashes.hashes.prefix(width)
                let entries = (try? EntryBundle.entries(in: bytes, width: width)) ?? []
                try check(
                    bundle,
                    isGood: entries.count == width
                        && zip(entries, leaves).allSatisfy { MerkleHash.leaf(bytes[$0]) == $1 })
            }
        }
    }

    private func check(_ tile: Tile, isGood: Bool) throws {
        guard !isGood else { return }
        throw LogProblem(
            tile.kind == .entries ? .record : .tile, index: tile.index * 256, file: log.file(tile),
            "This part of a tile, which an earlier checkpoint needed, is not its beginning.")
    }

    private func contents(_ tile: Tile) throws(AuditFileError) -> [UInt8]? {
        try FileList.contents(log.file(tile), limit: LogDirectory.maximumBundleBytes)
    }
}
