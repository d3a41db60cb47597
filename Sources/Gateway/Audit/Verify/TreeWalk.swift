// Goes over all bundles and tiles from the first to the last, and builds the tree again.

import TransparencyLog

/// The tree, built again from what is in the directory.
struct TreeWalk {
    /// How many bundles a worker takes at a time: some 8 MB of records.
    private static let chunk: UInt64 = 64

    private let log: LogDirectory
    private let head: SignedHead
    private let bundles: BundleCheck
    private let workers: Int
    private var tree = OpenTiles()
    private var pending: ArraySlice<SignedHead.Earlier>
    /// How many records were read and hashed.
    private(set) var records: UInt64 = 0

    init(log: LogDirectory, head: SignedHead, range: Range<UInt64>, workers: Int) {
        self.log = log
        self.head = head
        self.workers = max(workers, 1)
        pending = head.earlier[...]
        bundles = BundleCheck(
            log: log, size: head.checkpoint.size, range: range, minimumIndex: head.minimumIndex,
            keepsLeaves: Set(head.earlier.map { $0.checkpoint.size / 256 }))
    }

    /// - Throws: ``LogProblem``, `AuditLogError`.
    mutating func run() throws {
        let size = head.checkpoint.size
        let count = (size + 255) / 256
        var next: UInt64 = 0
        try confirm()
        while next < count {
            // As many chunks as workers at a time, then they are put together in order.
            let window = min(Self.chunk * UInt64(workers), count - next)
            for result in bundles.check(next..<next + window, chunk: Self.chunk) {
                for bundle in try result.get() { try merge(bundle) }
            }
            next += window
        }
        for partial in tree.partials { try compare(partial.hashes, with: partial.tile) }
        guard tree.root == head.checkpoint.root else {
            throw LogProblem(
                .root, file: log.file(LogDirectory.checkpointName),
                "The records and tiles have the root \(tree.root), but the checkpoint of \(size) records says "
                    + "\(head.checkpoint.root): the log was rewritten, or the checkpoint is not its own.")
        }
        try PartialCheck(log: log).run(tree)
    }

    private mutating func merge(_ bundle: BundleCheck.Result) throws {
        records += bundle.records
        // Those that end within this bundle.
        while let earlier = pending.first, earlier.checkpoint.size < tree.size + UInt64(bundle.width) {
            let leaves = bundle.leaves.prefix(Int(earlier.checkpoint.size - tree.size))
            try compare(earlier, root: tree.root(with: leaves))
            pending.removeFirst()
        }
        if let root = bundle.root {
            var closed: [(Tile, HashTile)] = []
            tree.append(root, level: 1) { closed.append(($0, $1)) }
            for (tile, hashes) in closed { try compare(hashes, with: tile) }
        } else {
            for leaf in bundle.leaves { tree.append(leaf) { _, _ in } }
        }
        try confirm()
    }

    /// Compares earlier checkpoints that end where the tree is now.
    private mutating func confirm() throws {
        while let earlier = pending.first, earlier.checkpoint.size == tree.size {
            try compare(earlier, root: tree.root)
            pending.removeFirst()
        }
    }

    private func compare(_ earlier: SignedHead.Earlier, root: MerkleHash) throws {
        guard earlier.checkpoint.root == root else {
            throw LogProblem(
                earlier.kind, file: earlier.name,
                "This checkpoint of \(earlier.checkpoint.size) records is not of this log's past: one of the records "
                    + "before \(earlier.checkpoint.size) is not what it was then.")
        }
    }

    /// Compares a tile above the lowest level with the hashes that it should have.
    private func compare(_ hashes: HashTile, with tile: Tile) throws {
        guard case .hashes(let level) = tile.kind, level > 0 else { return }
        let found = try bundles.read(tile, kind: .tile, index: tile.index << UInt64(8 * (level + 1)))
        guard let place = zip(hashes.hashes, found.hashes).enumerated().first(where: { $1.0 != $1.1 })?.offset else {
            return
        }
        let first = (tile.index * 256 + UInt64(place)) << UInt64(8 * level)
        throw LogProblem(
            .tile, index: first, file: log.file(tile),
            "Hash \(place) of the tile is not that of the \(1 << (8 * level)) records from \(first) on.")
    }
}
