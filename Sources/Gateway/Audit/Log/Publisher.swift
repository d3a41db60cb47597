// Publishes the log: reads what is durable in the segments, writes bundles and tiles, and last a signed checkpoint.
//
// The segments are the truth until the bundles are durable. Nothing here is synced at each publication: whatever a crash
// takes is made anew from the segments, which are removed only behind a sync of the file system (SegmentRetirement).
// Checkpoints cover only records that are durable, and the first one after a start covers all of them; so none that was
// ever seen can be larger than, or different from, what is made again.

import Glibc
import TransparencyLog

/// What the publishing thread works on. After a failure it goes back to where it was after the last success.
struct Publisher {
    /// Why publishing has stopped for good: what is on disk contradicts what was signed.
    struct Contradiction: Error {
        let message: String
    }

    let auditDirectory: String
    private let tiles: TileFiles
    private(set) var signer: any NoteSigner
    private let origin: String
    /// The last checkpoint that was published, now or before this process.
    private(set) var published: Checkpoint?
    private(set) var publishedNote: SignedNote?
    /// Whether ``published`` has been made again from the segments.
    private var isConfirmed: Bool
    private var builder: TreeBuilder?
    private var cursor: BatchCursor
    /// The places where partial tiles were published that a full one has replaced since, or will.
    private var partials: Set<Tile> = []
    private var retirement: SegmentRetirement

    var log: LogDirectory { tiles.directory }

    /// - Parameters:
    ///   - auditDirectory: the directory of the segments.
    ///   - published: what is there already, opened with the signer's key.
    init(
        auditDirectory: String, files: any AuditFiles, mode: UInt32, signer: any NoteSigner, origin: String,
        published: (note: SignedNote, checkpoint: Checkpoint)?, spareRest: Duration
    ) {
        self.auditDirectory = auditDirectory
        let spares = SpareFiles(auditDirectory: auditDirectory, rest: spareRest)
        tiles = TileFiles(
            directory: LogDirectory(auditDirectory: auditDirectory), files: files, mode: mode, spares: spares)
        self.signer = signer
        self.origin = origin
        self.published = published?.checkpoint
        publishedNote = published?.note
        isConfirmed = published == nil
        cursor = BatchCursor(directory: auditDirectory, from: 0)
        retirement = SegmentRetirement(auditDirectory: auditDirectory, spares: spares)
    }

    /// A publisher for a log that is being opened.
    init(_ directory: String, _ opening: LogOpening, _ options: AuditLog.Options) {
        self.init(
            auditDirectory: directory, files: options.files, mode: options.fileMode, signer: opening.signer,
            origin: opening.origin, published: opening.published, spareRest: options.spareRest)
    }

    /// Publishes everything before an index.
    /// - Parameter durable: how many records are durable.
    mutating func advance(to durable: UInt64) throws {
        let before = self
        do {
            if builder == nil {
                try publishFirstKey()
                try resume()
            }
            try consume(upTo: durable)
            let isFirst = cursor.checksHashes
            if isFirst {
                try repairPartials()
                // From here on it reads only what this process has written.
                cursor.checksHashes = false
            }
            if isFirst || published.map({ $0.size < durable }) ?? true { try publish() }
            try retirement.run(published: published?.size ?? 0)
        } catch {
            // What was published in between stays so.
            let (published, note) = (published, publishedNote)
            self = before
            (self.published, publishedNote) = (published, note)
            throw error
        }
    }

    /// Goes back to the last full bundle that is certainly durable: the first one that the segments do not have whole.
    private mutating func resume() throws {
        guard let first = try AuditDirectory.segments(in: auditDirectory).first else {
            throw AuditFileError("find a segment in", auditDirectory, number: ENOENT)
        }
        let start = (first + 255) / 256 * 256
        guard start <= published?.size ?? 0 else {
            throw Contradiction(message: "The segments start at record \(first), which no checkpoint covers.")
        }
        builder = TreeBuilder(OpenTiles(size: start, upper: try openTiles(at: start)))
        cursor = BatchCursor(directory: auditDirectory, from: start)
        try confirm()
    }

    /// The open tiles of level 1 and above, from the full ones below them.
    private func openTiles(at size: UInt64) throws -> [[MerkleHash]] {
        var upper: [[MerkleHash]] = []
        var level = 1
        while size >> UInt64(8 * level) > 0 {
            let end = size >> UInt64(8 * level)
            var hashes: [MerkleHash] = []
            for index in end & ~255..<end {
                let path = log.file(Tile(.hashes(level: level - 1), index: index))
                guard let bytes = try FileList.contents(path, limit: 8_192) else {
                    throw AuditFileError("open", path, number: ENOENT)
                }
                guard let root = try HashTile(bytes, width: 256).subtree(level: 8, index: 0) else { continue }
                hashes.append(root)
            }
            upper.append(hashes)
            level += 1
        }
        return upper
    }

    private mutating func consume(upTo durable: UInt64) throws {
        let tiles = tiles
        cursor.refresh()
        while cursor.batchEnd < durable {
            guard let batch = try cursor.next(), batch.header.nextIndex <= durable else {
                throw AuditFileError("find record \(durable - 1) in", auditDirectory, number: ENOENT)
            }
            try unsafe batch.forEachRecord { (index, record) throws in
                guard index >= builder?.size ?? 0 else { return }
                var done: [Tile] = []
                try unsafe builder?.append(record) { (tile, bytes) throws(AuditFileError) in
                    try tiles.write(bytes, to: tile)
                    done.append(tile)
                }
                // While catching up with what another process may have published, partial tiles can be anywhere.
                guard !isConfirmed else { return }
                partials.formUnion(done)
                try confirm()
            }
        }
    }

    /// Checks that the tree has the root that was signed for this size.
    private mutating func confirm() throws {
        guard !isConfirmed, let published, let builder, builder.size >= published.size else { return }
        guard builder.size == published.size, builder.tree.root == published.root else {
            throw Contradiction(
                message: "The segments and tiles in \(auditDirectory) do not have the root that the checkpoint of "
                    + "\(published.size) records says. Run `postern audit verify`, and keep the directory as evidence.")
        }
        isConfirmed = true
        // From here on this process has written what is read.
        partials.formUnion(builder.partials().map { $0.0.full })
    }

    /// Makes good the partial tiles that a crash left unfinished; earlier checkpoints may need them.
    private func repairPartials() throws {
        for (tile, bytes) in builder?.partials() ?? [] {
            for width in try log.partialWidths(of: tile) where width <= tile.width {
                let end =
                    try tile.kind == .entries
                    ? EntryBundle.entries(in: bytes, width: tile.width)[width - 1].upperBound
                    : width * MerkleHash.byteCount
                try tiles.write(Array(bytes[..<end]), to: Tile(tile.kind, index: tile.index, width: width))
            }
        }
    }

    private mutating func publish() throws {
        guard let builder else { return }
        let open = builder.partials()
        for (tile, bytes) in open { try tiles.write(bytes, to: tile) }
        let checkpoint = try Checkpoint(origin: origin, size: builder.size, root: builder.tree.root)
        try sign(checkpoint)
        // Only now are the partial tiles of full ones needed by nobody.
        let current = Set(open.map { $0.0.full })
        for tile in partials.subtracting(current) { try tiles.removePartials(of: tile) }
        partials = current
    }

    /// Signs the current tree's checkpoint and puts it in its place.
    private mutating func sign(_ checkpoint: Checkpoint) throws {
        let note = try checkpoint.signed(by: [signer])
        try tiles.replace(log.file(LogDirectory.checkpointName), with: note.bytes)
        (published, publishedNote) = (checkpoint, note)
    }

    // MARK: - Handing over and pruning

    /// The receipt of a record that is covered.
    private func receipt(for index: UInt64, record: [UInt8]) throws -> Receipt {
        guard let published, let publishedNote else {
            throw AuditFileError("find a checkpoint in", log.path, number: ENOENT)
        }
        var reader = LogTiles(log).reader(size: published.size)
        let proof = try InclusionProof(index: index, size: published.size, from: &reader)
        return Receipt(extra: record, proof: proof, checkpoint: publishedNote)
    }

    /// Lets a new key sign from now on: the old one's last checkpoint covers the record that names the new one.
    mutating func handOver(to signer: any NoteSigner, index: UInt64, record: [UInt8]) throws {
        let receipt = try receipt(for: index, record: record)
        try tiles.replace(
            log.file(LogDirectory.handoverName(index)), with: receipt.bytes, isDurable: true)
        self.signer = signer
        if let published { try sign(published) }
    }

    /// Removes entry bundles that end at or before an index; hashes stay.
    mutating func prune(below minimum: UInt64, index: UInt64, record: [UInt8]) throws {
        let receipt = try receipt(for: index, record: record)
        try tiles.replace(log.file(LogDirectory.prunedName), with: receipt.bytes, isDurable: true)
        // From the lowest that is left, upwards, so that what a crash leaves is found the next time.
        var lowest = minimum / 256
        while lowest > 0, FileList.exists(log.file(Tile(.entries, index: lowest - 1))) { lowest -= 1 }
        for bundle in lowest..<minimum / 256 { try tiles.remove(Tile(.entries, index: bundle)) }
    }

    /// The first key that signed, for those who start from it.
    private func publishFirstKey() throws {
        let path = log.file(LogDirectory.firstKeyName)
        guard try FileList.contents(path, limit: 4_096) == nil else { return }
        try tiles.replace(path, with: Array("\(signer.verifierKey)\n".utf8), isDurable: true)
    }
}
