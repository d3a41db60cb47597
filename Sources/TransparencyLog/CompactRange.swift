// The right edge of a growing tree: all that is needed to go on appending and to tell the root.

/// A tree's complete subtrees, from the largest on the left to the smallest on the right: at most one for each bit of
/// its size.
public struct CompactRange: Sendable, Equatable {
    /// How many leaves the tree has.
    public private(set) var size: UInt64 = 0
    /// The roots of the subtrees, the largest first.
    public private(set) var subtrees: [MerkleHash] = []

    /// An empty tree.
    public init() {}

    /// Appends a leaf.
    /// - Parameter leaf: the leaf's hash.
    public mutating func append(_ leaf: MerkleHash) {
        push(leaf, level: 0)
    }

    /// Appends a complete subtree.
    /// - Parameters:
    ///   - root: the subtree's root.
    ///   - level: its height: it has 2^level leaves, 0 to 62.
    /// - Returns: false, and nothing is appended, if the tree does not end where such a subtree can begin.
    public mutating func append(subtree root: MerkleHash, level: Int) -> Bool {
        guard (0...62).contains(level), size & (1 << UInt64(level) - 1) == 0 else { return false }
        push(root, level: level)
        return true
    }

    private mutating func push(_ root: MerkleHash, level: Int) {
        var merged = root
        var bits = size >> UInt64(level)
        while bits & 1 == 1, let left = subtrees.popLast() {
            merged = .node(left, merged)
            bits >>= 1
        }
        subtrees.append(merged)
        size += 1 << UInt64(level)
    }

    /// The tree's root.
    public var root: MerkleHash {
        guard var root = subtrees.last else { return .emptyTree }
        for left in subtrees.dropLast().reversed() { root = .node(left, root) }
        return root
    }
}
