// Builds the trie from rules, glob by glob.

/// Grows a trie of nodes that own what they have, and flattens it at the end.
struct TrieBuilder {
    private struct Node {
        var literals: [UInt32: Int32] = [:]
        var any = RuleTrie.none
        var deep = RuleTrie.none
        var patterns: [(pattern: SegmentPattern, node: Int32)] = []
        var entries: [RuleTrie.Entry] = []
    }

    private var nodes: [Node] = []
    private var symbols = SymbolTable()

    /// Adds a node that nothing leads to.
    mutating func addRoot() -> Int32 {
        nodes.append(Node())
        return Int32(nodes.count - 1)
    }

    /// Adds a rule's entry where a glob ends. Rules must come in file order.
    mutating func add(_ entry: RuleTrie.Entry, at glob: Glob, below root: Int32) {
        var node = root
        for segment in glob.segments { node = child(of: node, segment) }
        add(entry, at: node)
    }

    /// Adds a rule's entry to a node.
    mutating func add(_ entry: RuleTrie.Entry, at node: Int32) {
        nodes[Int(node)].entries.append(entry)
    }

    private mutating func child(of node: Int32, _ segment: Glob.Segment) -> Int32 {
        let index = Int(node)
        switch segment {
        case .literal(let text):
            let symbol = symbols.intern(text)
            if let known = nodes[index].literals[symbol] { return known }
            let child = addRoot()
            nodes[index].literals[symbol] = child
            return child
        case .any:
            if nodes[index].any == RuleTrie.none { nodes[index].any = addRoot() }
            return nodes[index].any
        case .deep:
            if nodes[index].deep == RuleTrie.none { nodes[index].deep = addRoot() }
            return nodes[index].deep
        case .pattern(let pattern):
            if let known = nodes[index].patterns.first(where: { $0.pattern == pattern }) { return known.node }
            let child = addRoot()
            nodes[index].patterns.append((pattern, child))
            return child
        }
    }

    /// The finished trie.
    func build() -> RuleTrie {
        var flat: [RuleTrie.Node] = []
        var patterns: [RuleTrie.Pattern] = []
        var entries: [RuleTrie.Entry] = []
        var decisive: [RuleTrie.Entry] = []
        var edges: [(node: Int32, symbol: UInt32, child: Int32)] = []
        for (index, node) in nodes.enumerated() {
            var result = RuleTrie.Node(any: node.any, deep: node.deep)
            result.hasChildren = !node.literals.isEmpty || node.any != RuleTrie.none || !node.patterns.isEmpty
            result.patterns = patterns.appendRange(node.patterns.map { RuleTrie.Pattern(pattern: $0, node: $1) })
            result.entries = entries.appendRange(node.entries)
            result.decisive = decisive.appendRange(Self.decisive(node.entries))
            flat.append(result)
            for (symbol, child) in node.literals { edges.append((Int32(index), symbol, child)) }
        }
        return RuleTrie(
            nodes: flat, patterns: patterns, entries: entries, decisive: decisive, symbols: symbols,
            literals: LiteralTable(edges))
    }

    /// Leaves out entries behind an unconditional one of the same effect at the same node: where one of
    /// them matches, so does that one, which comes first.
    private static func decisive(_ entries: [RuleTrie.Entry]) -> [RuleTrie.Entry] {
        var settledAllow = ActionSet()
        var settledDeny = ActionSet()
        return entries.compactMap { entry in
            var kept = entry
            kept.actions = entry.actions.subtracting(entry.isDeny ? settledDeny : settledAllow)
            guard !kept.actions.isEmpty else { return nil }
            if !entry.isConditional {
                if entry.isDeny { settledDeny.formUnion(entry.actions) } else { settledAllow.formUnion(entry.actions) }
            }
            return kept
        }
    }
}

extension Array {
    /// Appends elements and says where they are.
    fileprivate mutating func appendRange(_ elements: [Element]) -> Range<Int32> {
        let start = Int32(count)
        append(contentsOf: elements)
        return start..<Int32(count)
    }
}
