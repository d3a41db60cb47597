// All globs of a policy as one trie of segments, with a root for each audience.

/// The trie. Nodes are numbers; what a node has stands in flat arrays.
struct RuleTrie: Sendable {
    /// Marks the absence of a node.
    static let none: Int32 = -1

    struct Node: Sendable {
        /// Where `*` leads.
        var any = RuleTrie.none
        /// Where `**` leads: a node that matches with any number of segments between.
        var deep = RuleTrie.none
        /// Whether any segment leads anywhere from here (`**` aside).
        var hasChildren = false
        /// Where segments with wildcards lead: indexes into ``RuleTrie/patterns``.
        var patterns: Range<Int32> = 0..<0
        /// The rules whose globs end here: indexes into ``RuleTrie/entries``.
        var entries: Range<Int32> = 0..<0
        /// The same without what cannot change a decision: indexes into ``RuleTrie/decisive``.
        var decisive: Range<Int32> = 0..<0
    }

    struct Pattern: Sendable {
        let pattern: SegmentPattern
        let node: Int32
    }

    /// A rule at the end of one of its globs.
    struct Entry: Sendable {
        /// The rule's place in the file.
        let rule: Int32
        var actions: ActionSet
        let isDeny: Bool
        let isConditional: Bool
    }

    let nodes: [Node]
    let patterns: [Pattern]
    let entries: [Entry]
    let decisive: [Entry]
    let symbols: SymbolTable
    let literals: LiteralTable

    /// Visits the nodes at which globs end that match the path, once or more each.
    /// - Parameters:
    ///   - root: where to start: an audience's root.
    ///   - position: the segment to match next.
    ///   - path: the path, cut.
    ///   - bytes: the path's bytes.
    ///   - visitor: is told the nodes.
    func walk(
        _ root: Int32, _ position: Int = 0, _ path: borrowing PathSegments, _ bytes: Span<UInt8>,
        _ visitor: inout some NodeVisitor
    ) {
        var index = root
        var position = position
        while true {
            let node = nodes[Int(index)]
            if node.deep != Self.none {
                visitor.visit(nodes[Int(node.deep)], in: self)
                if nodes[Int(node.deep)].hasChildren {
                    for start in position..<path.count { step(node.deep, start, path, bytes, &visitor) }
                }
            }
            guard position < path.count else {
                visitor.visit(node, in: self)
                return
            }
            guard node.hasChildren else { return }
            branch(node, position, path, bytes, &visitor)
            index = literals.child(of: index, path.symbol(position))
            guard index != Self.none else { return }
            position += 1
        }
    }

    /// Walks every child that the segment at `position` leads to.
    private func step(
        _ index: Int32, _ position: Int, _ path: borrowing PathSegments, _ bytes: Span<UInt8>,
        _ visitor: inout some NodeVisitor
    ) {
        branch(nodes[Int(index)], position, path, bytes, &visitor)
        let child = literals.child(of: index, path.symbol(position))
        if child != Self.none { walk(child, position + 1, path, bytes, &visitor) }
    }

    /// Walks the children that wildcards lead to.
    private func branch(
        _ node: Node, _ position: Int, _ path: borrowing PathSegments, _ bytes: Span<UInt8>,
        _ visitor: inout some NodeVisitor
    ) {
        if node.any != Self.none { walk(node.any, position + 1, path, bytes, &visitor) }
        for index in node.patterns {
            let pattern = patterns[Int(index)]
            if pattern.pattern.matches(bytes, path.range(position)) {
                walk(pattern.node, position + 1, path, bytes, &visitor)
            }
        }
    }
}

/// What is done with the nodes that match. Deciding and explaining differ in this alone.
protocol NodeVisitor {
    mutating func visit(_ node: RuleTrie.Node, in trie: borrowing RuleTrie)
}

/// Where literal segments lead: a hash table from a node and a symbol to a node.
struct LiteralTable: Sendable {
    /// A node and a symbol in one number, or 0 for a free slot (symbols in the table are never 0).
    private var keys: [UInt64]
    private var children: [Int32]

    init(_ edges: [(node: Int32, symbol: UInt32, child: Int32)]) {
        var capacity = 16
        while capacity < edges.count * 2 { capacity *= 2 }
        keys = [UInt64](repeating: 0, count: capacity)
        children = [Int32](repeating: RuleTrie.none, count: capacity)
        for edge in edges {
            let key = Self.key(edge.node, edge.symbol)
            var slot = Self.slot(key, capacity)
            while keys[slot] != 0 { slot = (slot + 1) & (capacity - 1) }
            keys[slot] = key
            children[slot] = edge.child
        }
    }

    func child(of node: Int32, _ symbol: UInt32) -> Int32 {
        guard symbol != SymbolTable.unknown else { return RuleTrie.none }
        let key = Self.key(node, symbol)
        var slot = Self.slot(key, keys.count)
        while keys[slot] != 0 {
            if keys[slot] == key { return children[slot] }
            slot = (slot + 1) & (keys.count - 1)
        }
        return RuleTrie.none
    }

    private static func key(_ node: Int32, _ symbol: UInt32) -> UInt64 {
        UInt64(UInt32(bitPattern: node)) << 32 | UInt64(symbol)
    }

    private static func slot(_ key: UInt64, _ capacity: Int) -> Int {
        let mixed = key &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 32) & (capacity - 1)
    }
}
