// The rule that decides, found while the trie is walked.

/// Keeps, of the rules that match, the first in file order of each effect whose conditions hold.
struct DecisionSearch: NodeVisitor {
    private static let none = Int32.max

    private let bit: UInt16
    private let rules: [Rule]
    private var circumstances: Circumstances
    private var allow = none
    private var deny = none
    /// The first allow rule whose conditions did not hold.
    private var failed = none

    init(_ request: AccessRequest, _ rules: [Rule]) {
        bit = request.action.bit
        circumstances = Circumstances(request.context, of: request.principal)
        self.rules = rules
    }

    mutating func visit(_ node: RuleTrie.Node, in trie: borrowing RuleTrie) {
        for index in node.decisive {
            let entry = trie.decisive[Int(index)]
            guard entry.actions.bits & bit != 0 else { continue }
            if entry.isDeny {
                if entry.rule < deny, !entry.isConditional || holds(entry.rule) { deny = entry.rule }
            } else if entry.rule < allow {
                if !entry.isConditional || holds(entry.rule) {
                    allow = entry.rule
                } else {
                    failed = min(failed, entry.rule)
                }
            }
        }
    }

    private mutating func holds(_ rule: Int32) -> Bool {
        rules[Int(rule)].applies(in: &circumstances)
    }

    /// The decision, once everything was visited: deny wins, and where nothing applies it is denied.
    mutating func decision() -> Decision {
        if deny != Self.none { return Decision(isAllowed: false, ruleID: rules[Int(deny)].id) }
        if allow != Self.none { return Decision(isAllowed: true, ruleID: rules[Int(allow)].id) }
        guard failed != Self.none else { return Decision(isAllowed: false, ruleID: nil) }
        return Decision(isAllowed: false, ruleID: nil, unmet: rules[Int(failed)].unmet(in: &circumstances))
    }
}
