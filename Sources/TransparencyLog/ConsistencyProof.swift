// That a tree is the beginning of another (RFC 6962 §2.1.2; how to verify, RFC 9162 §2.1.4.2).

/// The hashes that connect a tree with a larger one.
public struct ConsistencyProof: Sendable, Equatable {
    /// The hashes, in the order of RFC 6962.
    public let hashes: [MerkleHash]

    /// Makes a proof of what was received.
    public init(hashes: [MerkleHash]) {
        self.hashes = hashes
    }

    /// Proves that the tree of the first leaves begins another.
    /// - Parameters:
    ///   - first: the smaller size; from 0 or to the same size, the proof is empty.
    ///   - second: the larger size.
    ///   - reader: where the hashes are.
    /// - Throws: `bad_proof` if the first is larger; what the reader throws.
    public init(
        from first: UInt64, to second: UInt64, from reader: inout some HashReader
    ) throws(TransparencyLogError) {
        guard first <= second else {
            throw TransparencyLogError(.badProof, "a tree of \(first) leaves cannot begin one of \(second)")
        }
        guard first > 0, first < second else {
            self.init(hashes: [])
            return
        }
        var hashes: [MerkleHash] = []
        var leaves = 0..<second
        // Whether the smaller tree is a subtree that begins at 0, so that the verifier has its hash already.
        var isWhole = true
        while leaves.upperBound != first {
            let middle = leaves.lowerBound + largestPowerOfTwo(below: leaves.upperBound - leaves.lowerBound)
            if first <= middle {
                hashes.append(try reader.treeHash(middle..<leaves.upperBound))
                leaves = leaves.lowerBound..<middle
            } else {
                hashes.append(try reader.treeHash(leaves.lowerBound..<middle))
                leaves = middle..<leaves.upperBound
                isWhole = false
            }
        }
        if !isWhole { hashes.append(try reader.treeHash(leaves)) }
        self.init(hashes: hashes.reversed())
    }

    /// Checks that one tree is the beginning of another. From the empty tree, and between trees of one size, the proof
    /// must be empty (C2SP tlog-witness).
    /// - Parameters:
    ///   - first: the smaller size.
    ///   - firstRoot: its root.
    ///   - second: the larger size.
    ///   - secondRoot: its root.
    /// - Throws: `bad_proof`.
    public func verify(
        from first: UInt64, _ firstRoot: MerkleHash, to second: UInt64, _ secondRoot: MerkleHash
    ) throws(TransparencyLogError) {
        guard first <= second else {
            throw TransparencyLogError(.badProof, "a tree of \(first) leaves cannot begin one of \(second)")
        }
        if first == second || first == 0 {
            guard hashes.isEmpty else {
                throw TransparencyLogError(.badProof, "the consistency proof has hashes where none are needed")
            }
            guard first == second ? firstRoot == secondRoot : firstRoot == .emptyTree else {
                throw TransparencyLogError(.badProof, "the roots of two trees of one size differ")
            }
            return
        }
        // A complete smaller tree is its own first hash.
        var rest = first & (first - 1) == 0 ? ArraySlice([firstRoot] + hashes) : hashes[...]
        guard let start = rest.popFirst() else {
            throw TransparencyLogError(.badProof, "the consistency proof has too few hashes")
        }
        var (node, last) = (first - 1, second - 1)
        while node & 1 == 1 { (node, last) = (node >> 1, last >> 1) }
        var (firstHash, secondHash) = (start, start)
        for hash in rest {
            guard last > 0 else {
                throw TransparencyLogError(.badProof, "the consistency proof has too many hashes")
            }
            if node & 1 == 1 || node == last {
                firstHash = .node(hash, firstHash)
                secondHash = .node(hash, secondHash)
                while node & 1 == 0, node > 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                secondHash = .node(secondHash, hash)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        guard last == 0 else { throw TransparencyLogError(.badProof, "the consistency proof has too few hashes") }
        guard firstHash == firstRoot, secondHash == secondRoot else {
            throw TransparencyLogError(.badProof, "the consistency proof does not lead to the trees' roots")
        }
    }
}
