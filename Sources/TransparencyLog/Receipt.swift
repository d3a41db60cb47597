// A receipt: all that is needed to check offline that an entry is in a log (C2SP tlog-proof).

/// An entry's inclusion in the tree of a checkpoint.
public struct Receipt: Sendable, Equatable {
    private static let title = "c2sp.org/tlog-proof@v1"
    /// The largest receipt that is read, in bytes.
    public static let maximumBytes = SignedNote.maximumBytes + 200_000

    /// Data beside the proof, which the proof says nothing of.
    public let extra: [UInt8]?
    /// Where the entry is, and the hashes from there to the root.
    public let proof: InclusionProof
    /// The log's signed checkpoint.
    public let checkpoint: SignedNote

    /// Makes a receipt.
    public init(extra: [UInt8]? = nil, proof: InclusionProof, checkpoint: SignedNote) {
        self.extra = extra
        self.proof = proof
        self.checkpoint = checkpoint
    }

    /// The receipt as it is stored.
    public var bytes: [UInt8] {
        var head = Self.title + "\n"
        if let extra { head += "extra \(Base64.encode(extra))\n" }
        head += "index \(proof.index)\n"
        for hash in proof.hashes { head += hash.base64 + "\n" }
        return Array((head + "\n").utf8) + checkpoint.bytes
    }

    /// Parses a receipt.
    /// - Parameter bytes: the file's bytes.
    /// - Throws: `malformed`.
    public init(parsing bytes: [UInt8]) throws(TransparencyLogError) {
        let newline = UInt8(ascii: "\n")
        guard bytes.count <= Self.maximumBytes,
            let split = bytes.indices.dropLast().first(where: { bytes[$0] == newline && bytes[$0 + 1] == newline }),
            let head = String(validating: bytes[..<split], as: UTF8.self)
        else { throw TransparencyLogError(.malformed, "the receipt has no checkpoint") }
        var lines = head.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard lines.popFirst() == Self.title[...] else {
            throw TransparencyLogError(.malformed, "the receipt does not start with \(Self.title)")
        }
        var extra: [UInt8]?
        if let line = lines.first, line.hasPrefix("extra ") {
            guard let bytes = Base64.decode(line.dropFirst(6)) else {
                throw TransparencyLogError(.malformed, "the receipt's extra line is not base64")
            }
            extra = bytes
            lines = lines.dropFirst()
        }
        guard let line = lines.popFirst(), line.hasPrefix("index "), let index = UInt64(decimal: line.dropFirst(6)),
            index < 1 << 63
        else { throw TransparencyLogError(.malformed, "the receipt has no index") }
        guard lines.count <= InclusionProof.maximumHashes else {
            throw TransparencyLogError(.malformed, "the receipt has more hashes than any tree has levels")
        }
        var hashes: [MerkleHash] = []
        for line in lines {
            guard let hash = MerkleHash(base64: line) else {
                throw TransparencyLogError(.malformed, "a line of the receipt is not a hash")
            }
            hashes.append(hash)
        }
        self.init(
            extra: extra, proof: InclusionProof(index: index, hashes: hashes),
            checkpoint: try SignedNote(parsing: Array(bytes[(split + 2)...])))
    }

    /// Checks the receipt.
    /// - Parameters:
    ///   - entry: the entry that it is for.
    ///   - origin: which log it must be of; nil for any.
    ///   - keys: the log's keys.
    /// - Returns: the checkpoint whose tree has the entry.
    /// - Throws: `malformed`, `unknown_key`, `bad_signature`, `bad_proof`.
    @discardableResult
    public func verify(
        entry: [UInt8], origin: String? = nil, keys: [VerifierKey]
    ) throws(TransparencyLogError) -> Checkpoint {
        let head = try Checkpoint(checkpoint, origin: origin, keys: keys)
        try proof.verify(leaf: .leaf(entry), size: head.size, root: head.root)
        return head
    }
}
