// Reads tiles and bundles of a published log.

import TransparencyLog

/// The tiles in a log's directory.
struct LogTiles {
    let log: LogDirectory

    init(_ log: LogDirectory) {
        self.log = log
    }

    /// A tile's bytes: a partial one's, or, once that is gone, those of the full one in its place.
    func fetch(_ tile: Tile) throws(TransparencyLogError) -> [UInt8] {
        do throws(AuditFileError) {
            for candidate in tile.isFull ? [tile] : [tile, tile.full] {
                let path = log.file(candidate)
                guard let bytes = try FileList.contents(path, limit: LogDirectory.maximumBundleBytes) else { continue }
                // A partial one that is gone by now may have become another file while it was read.
                if candidate.isFull || FileList.exists(path) { return bytes }
            }
            throw AuditFileError("open", log.file(tile), number: AuditFileError.missing)
        } catch {
            throw TransparencyLogError(.unavailable, error.description)
        }
    }

    /// Reads hashes of the tree of some size.
    func reader(size: UInt64) -> TileHashReader {
        TileHashReader(size: size) { (tile) throws(TransparencyLogError) in try fetch(tile) }
    }
}
