// Where the hashes of a tree come from when proofs are made.

/// Hands out the hashes of complete subtrees.
public protocol HashReader {
    /// The root of the complete subtree of 2^level leaves that starts at leaf index × 2^level.
    mutating func hash(level: Int, index: UInt64) throws(TransparencyLogError) -> MerkleHash
}

extension HashReader {
    /// The tree hash of some of the leaves (RFC 6962 §2.1), which start where a subtree of their size can.
    mutating func treeHash(_ leaves: Range<UInt64>) throws(TransparencyLogError) -> MerkleHash {
        guard !leaves.isEmpty else { return .emptyTree }
        let count = leaves.upperBound - leaves.lowerBound
        if count & (count - 1) == 0 {
            let level = count.trailingZeroBitCount
            return try hash(level: level, index: leaves.lowerBound >> UInt64(level))
        }
        let middle = leaves.lowerBound + largestPowerOfTwo(below: count)
        return .node(try treeHash(leaves.lowerBound..<middle), try treeHash(middle..<leaves.upperBound))
    }

    /// The root of the tree of the first leaves.
    /// - Parameter size: how many leaves.
    /// - Throws: what ``hash(level:index:)`` throws.
    public mutating func root(size: UInt64) throws(TransparencyLogError) -> MerkleHash {
        try treeHash(0..<size)
    }
}

/// The largest power of two that is less than a number of at least 2.
func largestPowerOfTwo(below number: UInt64) -> UInt64 {
    1 << UInt64(63 - (number - 1).leadingZeroBitCount)
}
