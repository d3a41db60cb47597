// The published log's parts and proofs, read from its directory: receipts, consistency proofs, tiles.

public import TransparencyLog

/// Reads a published log from its directory, and proves what is in it.
public struct LogProver: Sendable {
    private let log: LogDirectory

    /// Makes a prover.
    /// - Parameter directory: an audit directory, or a published log by itself.
    public init(directory: String) {
        log = LogVerifier(directory: directory).places.log
    }

    /// The current checkpoint.
    /// - Throws: ``LogProblem`` if there is none, `AuditLogError`.
    public func checkpoint() throws -> (note: SignedNote, checkpoint: Checkpoint) {
        guard let published = try PublishedCheckpoint.read(in: log) else {
            throw LogProblem(.checkpoint, file: log.path, "There is no checkpoint.")
        }
        return published
    }

    /// A tile's or bundle's bytes; of the full one, once a partial one is gone.
    /// - Throws: `unavailable`.
    public func bytes(of tile: Tile) throws(TransparencyLogError) -> [UInt8] {
        try LogTiles(log).fetch(tile)
    }

    /// The proof that the tree of one size begins that of another.
    /// - Parameters:
    ///   - first: the smaller size.
    ///   - second: the larger size, which a checkpoint covers.
    /// - Throws: `bad_proof`, `unavailable`, `malformed`.
    public func consistency(
        from first: UInt64, to second: UInt64
    ) throws(TransparencyLogError) -> ConsistencyProof {
        var reader = LogTiles(log).reader(size: second)
        return try ConsistencyProof(from: first, to: second, from: &reader)
    }

    /// The receipt of a record, with the record as extra data.
    /// - Parameter index: the record's index.
    /// - Returns: the receipt, under the current checkpoint.
    /// - Throws: ``LogProblem`` if no checkpoint covers the record, it was pruned, or the log contradicts itself;
    ///   `AuditLogError` if it cannot be read.
    public func receipt(for index: UInt64) throws -> Receipt {
        let (note, checkpoint) = try checkpoint()
        guard let tile = Tile(.entries, holding: index, size: checkpoint.size) else {
            throw LogProblem(
                .record, index: index, file: log.path, "The checkpoint covers only \(checkpoint.size) records.")
        }
        do throws(TransparencyLogError) {
            var reader = LogTiles(log).reader(size: checkpoint.size)
            let proof = try InclusionProof(index: index, size: checkpoint.size, from: &reader)
            let bundle = try LogTiles(log).fetch(tile)
            let places = try EntryBundle.entries(in: bundle, width: tile.width)
            let record = Array(bundle[places[Int(index % 256)]])
            try proof.verify(leaf: .leaf(record), size: checkpoint.size, root: checkpoint.root)
            return Receipt(extra: record, proof: proof, checkpoint: note)
        } catch {
            throw LogProblem(.record, index: index, file: log.path, "No receipt can be made: \(error.message).")
        }
    }

    /// The keys that signed this log, from the first one beside it to the current one.
    /// - Parameter given: the keys to start from instead.
    /// - Throws: ``LogProblem``, `AuditLogError`.
    public func keys(from given: [VerifierKey] = []) throws -> [VerifierKey] {
        try SignedHead(log, keys: given).keys
    }
}
