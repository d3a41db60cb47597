// Receipts of single records, and checking them: what a C2SP tlog-proof says.

public import TransparencyLog

/// Makes receipts from a log's directory.
public struct LogProver: Sendable {
    private let log: LogDirectory

    /// Makes a prover.
    /// - Parameter directory: an audit directory, or a published log by itself.
    public init(directory: String) {
        log = LogVerifier(directory: directory).places.log
    }

    /// The receipt of a record, with the record as extra data.
    /// - Parameter index: the record's index.
    /// - Returns: the receipt, under the current checkpoint.
    /// - Throws: ``LogProblem`` if no checkpoint covers the record, it was pruned, or the log contradicts itself;
    ///   `AuditLogError` if it cannot be read.
    public func receipt(for index: UInt64) throws -> Receipt {
        guard let (note, checkpoint) = try PublishedCheckpoint.read(in: log) else {
            throw LogProblem(.checkpoint, file: log.path, "There is no checkpoint.")
        }
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
