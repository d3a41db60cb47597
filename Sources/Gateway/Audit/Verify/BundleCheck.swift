// Reads entry bundles and the lowest tiles, on several threads, and compares them.

import Dispatch
import Synchronization
import TransparencyLog

/// Checks bundles against the tiles of level 0.
struct BundleCheck: Sendable {
    /// A bundle that agrees with its tile.
    struct Result: Sendable {
        /// How many records it covers.
        let width: Int
        /// The root of its tile, if it is full.
        let root: MerkleHash?
        /// The leaf hashes; only of bundles in which some tree ends.
        let leaves: [MerkleHash]
        /// How many records were read.
        let records: UInt64
    }

    let log: LogDirectory
    let size: UInt64
    let range: Range<UInt64>
    let minimumIndex: UInt64
    let keepsLeaves: Set<UInt64>

    /// Checks consecutive bundles.
    /// - Parameter chunk: how many a thread takes at a time.
    /// - Returns: the results in order; after a failure there may be more, but the first one counts.
    func check(_ bundles: Range<UInt64>, chunk: UInt64) -> [Swift.Result<[Result], any Error>] {
        let starts = Array(stride(from: bundles.lowerBound, to: bundles.upperBound, by: Int(chunk)))
        let results = Mutex<[Int: Swift.Result<[Result], any Error>]>([:])
        DispatchQueue.concurrentPerform(iterations: starts.count) { position in
            let result = Swift.Result<[Result], any Error> {
                try (starts[position]..<min(starts[position] + chunk, bundles.upperBound)).map(check)
            }
            results.withLock { $0[position] = result }
        }
        return results.withLock { results in starts.indices.compactMap { results[$0] } }
    }

    /// Reads a tile of hashes.
    func read(_ tile: Tile, kind: LogProblem.Kind, index: UInt64) throws -> HashTile {
        do throws(TransparencyLogError) {
            return try HashTile(try LogTiles(log).fetch(tile), width: tile.width)
        } catch {
            throw LogProblem(
                kind, index: index, file: log.file(tile),
                error.code == .unavailable ? "The tile is missing." : "This is not the tile: \(error.message).")
        }
    }

    private func check(_ index: UInt64) throws -> Result {
        let first = index * 256
        let width = Int(min(256, size - first))
        let tile = try read(Tile(.hashes(level: 0), index: index, width: width), kind: .tile, index: first)
        var records: UInt64 = 0
        if first < range.upperBound, first + UInt64(width) > range.lowerBound {
            records = try compare(index, width: width, tile)
        }
        let needsLeaves = width < 256 || keepsLeaves.contains(index)
        return Result(
            width: width, root: tile.subtree(level: 8, index: 0), leaves: needsLeaves ? tile.hashes : [],
            records: records)
    }

    /// Compares the records of a bundle with their hashes.
    private func compare(_ index: UInt64, width: Int, _ tile: HashTile) throws -> UInt64 {
        let bundle = Tile(.entries, index: index, width: width)
        let path = log.file(bundle)
        let first = index * 256
        let bytes: [UInt8]
        do throws(TransparencyLogError) {
            bytes = try LogTiles(log).fetch(bundle)
        } catch {
            guard first + 256 > minimumIndex else { return 0 }
            throw LogProblem(.record, index: first, file: path, "The entry bundle is missing.")
        }
        // Record by record, so that the first bad one is named also where a changed length shifts all that follow.
        var offset = 0
        for place in 0..<width {
            guard offset + 2 <= bytes.count else { throw problem(index, place, tile) }
            let end = offset + 2 + Int(bytes[offset]) << 8 + Int(bytes[offset + 1])
            guard end <= bytes.count, MerkleHash.leaf(bytes[offset + 2..<end]) == tile.hashes[place] else {
                throw problem(index, place, tile)
            }
            offset = end
        }
        // A full bundle may serve for a partial one.
        guard offset == bytes.count || width < 256 && isFull(bytes) else {
            throw LogProblem(
                .record, index: first + UInt64(width), file: path, "There are bytes after the bundle's last record.")
        }
        return UInt64(width)
    }

    /// Who is wrong where a record and its hash disagree: the tile above knows, if the tile is full.
    private func problem(_ index: UInt64, _ place: Int, _ tile: HashTile) -> LogProblem {
        let first = index * 256
        let hashes = log.file(Tile(.hashes(level: 0), index: index, width: tile.hashes.count))
        if let root = tile.subtree(level: 8, index: 0), let above = Tile(.hashes(level: 1), holding: index, size: size),
            let parent = try? read(above, kind: .tile, index: first), parent.hashes[Int(index % 256)] != root
        {
            return LogProblem(
                .tile, index: first + UInt64(place), file: hashes,
                "Hash \(place) of the tile is not that of the record, and the tile is not the one in \(log.file(above))."
            )
        }
        return LogProblem(
            .record, index: first + UInt64(place),
            file: log.file(Tile(.entries, index: index, width: tile.hashes.count)),
            "The record does not have the hash that is in \(hashes): it was changed, removed, inserted or moved.")
    }

    private func isFull(_ bytes: [UInt8]) -> Bool {
        do throws(TransparencyLogError) {
            return try EntryBundle.entries(in: bytes, width: 256).count == 256
        } catch {
            return false
        }
    }
}
