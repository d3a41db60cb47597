// That a leaf is in a tree (RFC 6962 §2.1.1; how to verify, RFC 9162 §2.1.3.2).

/// A leaf's audit path: the hashes beside the way from the leaf to the root.
public struct InclusionProof: Sendable, Equatable {
    /// The most hashes that a path has.
    static let maximumHashes = 63

    /// The leaf's index.
    public let index: UInt64
    /// The hashes, from the leaf's sibling to the root's child.
    public let hashes: [MerkleHash]

    /// Makes a proof of what was received.
    public init(index: UInt64, hashes: [MerkleHash]) {
        self.index = index
        self.hashes = hashes
    }

    /// Proves that a leaf is in the tree of the first leaves.
    /// - Parameters:
    ///   - index: the leaf's index.
    ///   - size: the tree's size.
    ///   - reader: where the hashes are.
    /// - Throws: `bad_proof` if the tree has no such leaf; what the reader throws.
    public init(
        index: UInt64, size: UInt64, from reader: inout some HashReader
    ) throws(TransparencyLogError) {
        guard index < size else {
            throw TransparencyLogError(.badProof, "a tree of \(size) leaves has no leaf \(index)")
        }
        var hashes: [MerkleHash] = []
        var leaves = 0..<size
        while leaves.upperBound - leaves.lowerBound > 1 {
            let middle = leaves.lowerBound + largestPowerOfTwo(below: leaves.upperBound - leaves.lowerBound)
            if index < middle {
                hashes.append(try reader.treeHash(middle..<leaves.upperBound))
                leaves = leaves.lowerBound..<middle
            } else {
                hashes.append(try reader.treeHash(leaves.lowerBound..<middle))
                leaves = middle..<leaves.upperBound
            }
        }
        self.init(index: index, hashes: hashes.reversed())
    }

    /// Checks that the leaf is in a tree.
    /// - Parameters:
    ///   - leaf: the leaf's hash.
    ///   - size: the tree's size.
    ///   - root: the tree's root.
    /// - Throws: `bad_proof`.
    public func verify(
        leaf: MerkleHash, size: UInt64, root: MerkleHash
    ) throws(TransparencyLogError) {
        guard index < size else {
            throw TransparencyLogError(.badProof, "a tree of \(size) leaves has no leaf \(index)")
        }
        var (node, last) = (index, size - 1)
        var hash = leaf
        for sibling in hashes {
            guard last > 0 else {
                throw TransparencyLogError(.badProof, "the inclusion proof has too many hashes")
            }
            if node & 1 == 1 || node == last {
                hash = .node(sibling, hash)
                while node & 1 == 0, node > 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                hash = .node(hash, sibling)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        guard last == 0 else { throw TransparencyLogError(.badProof, "the inclusion proof has too few hashes") }
        guard hash == root else {
            throw TransparencyLogError(.badProof, "the inclusion proof does not lead to the tree's root")
        }
    }
}
