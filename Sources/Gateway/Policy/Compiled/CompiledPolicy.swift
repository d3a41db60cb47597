// A policy ready to answer. Built once, never changed, shared by reference.

import PosternProtocol

/// What ``Policy`` holds.
///
/// Rules are kept by audience (a principal, a group, everybody), not by principal: the size is that of the
/// file even where every rule names large groups. A request asks each audience its principal belongs to.
final class CompiledPolicy: Sendable {
    /// The rules of one audience.
    struct AudienceRules: Sendable {
        /// Where its globs start in the trie.
        let paths: Int32
        /// A node of the trie that holds what gateway-wide actions need.
        let gateway: Int32
        /// The rules that allow `list`, by their place in the file, ascending.
        var listed: [Int] = []
        /// The rules that deny `list`, likewise.
        var hidden: [Int] = []
    }

    let source: PolicySource
    let trie: RuleTrie
    let audiences: [AudienceRules]
    /// For each principal, the audiences it belongs to that have rules.
    let memberships: [[Int]]
    let indexes: [String: Int]
    let identities: IdentityIndex

    init(_ source: PolicySource) {
        self.source = source
        var builder = TrieBuilder()
        var audiences: [AudienceRules] = []
        var places: [Audience: Int] = [:]
        for (index, rule) in source.rules.enumerated() {
            for audience in Set(rule.audiences) {
                let place = places[audience] ?? audiences.count
                if place == audiences.count {
                    places[audience] = place
                    audiences.append(AudienceRules(paths: builder.addRoot(), gateway: builder.addRoot()))
                }
                Self.add(rule, index, to: &audiences[place], &builder)
            }
        }
        var memberships = [[Int]](repeating: [], count: source.principals.count)
        for principal in source.principals.indices {
            if let place = places[.principal(principal)] { memberships[principal].append(place) }
            if let place = places[.everybody] { memberships[principal].append(place) }
        }
        for (index, group) in source.groups.enumerated() {
            guard let place = places[.group(index)] else { continue }
            for member in group.members { memberships[member].append(place) }
        }
        trie = builder.build()
        self.audiences = audiences
        self.memberships = memberships
        indexes = Dictionary(
            source.principals.enumerated().map { ($0.element.id.name, $0.offset) },
            uniquingKeysWith: { first, _ in first })
        identities = IdentityIndex(source)
    }

    private static func add(
        _ rule: Rule, _ index: Int, to audience: inout AudienceRules, _ builder: inout TrieBuilder
    ) {
        func entry(_ actions: ActionSet) -> RuleTrie.Entry {
            RuleTrie.Entry(
                rule: Int32(index), actions: actions, isDeny: rule.effect == .deny,
                isConditional: rule.conditions != nil)
        }
        if !rule.gatewayActions.isEmpty { builder.add(entry(rule.gatewayActions), at: audience.gateway) }
        guard !rule.pathActions.isEmpty else { return }
        for glob in Set(rule.globs) { builder.add(entry(rule.pathActions), at: glob, below: audience.paths) }
        guard rule.actions.contains(.list) else { return }
        switch rule.effect {
        case .allow: audience.listed.append(index)
        case .deny: audience.hidden.append(index)
        }
    }

    /// Shows a visitor every node whose rules match a request, conditions aside.
    func match(_ request: AccessRequest, _ visitor: inout some NodeVisitor) {
        guard let principal = indexes[request.principal.name] else { return }
        if request.action.isGatewayWide {
            for audience in memberships[principal] {
                visitor.visit(trie.nodes[Int(audiences[audience].gateway)], in: trie)
            }
            return
        }
        // Postern's own records are nobody's secrets: no glob reaches them.
        guard let path = request.path, !path.isReserved else { return }
        let bytes = path.text.utf8.span
        let segments = PathSegments(bytes, trie.symbols)
        for audience in memberships[principal] {
            trie.walk(audiences[audience].paths, 0, segments, bytes, &visitor)
        }
    }
}
