// Why a request is decided as it is.

import PosternProtocol

/// Every rule that matches a request, what became of its conditions, and which rule decided.
public struct Explanation: Sendable, Equatable, Codable {
    /// One rule that names the request's principal, action and path.
    public struct Rule: Sendable, Equatable, Codable {
        /// The rule's id.
        public let id: String
        /// `allow` or `deny`.
        public let effect: String
        /// The rule's line in the policy file.
        public let line: Int
        /// Those of its globs that match; empty for gateway-wide actions.
        public let globs: [String]
        /// Its conditions.
        public let conditions: [Condition]
        /// Whether all its conditions hold.
        public let applies: Bool
        /// Whether this rule decided.
        public let decided: Bool
    }

    /// One condition of a rule.
    public struct Condition: Sendable, Equatable, Codable {
        /// The condition in words, as in `networks 10.0.0.0/8`.
        public let condition: String
        /// Whether it holds. Where the caller's address is not known, `networks` holds for deny rules only.
        public let holds: Bool
        /// Why not, where it does not.
        public let problem: String?
    }

    /// Who asked.
    public let principal: String
    /// Whether the policy knows that principal.
    public let principalIsKnown: Bool
    /// What for.
    public let action: String
    /// On which secret.
    public let path: String?
    /// Whether the request is allowed.
    public let allowed: Bool
    /// The rule that decided; nil where none applied, which denies.
    public let rule: String?
    /// What was missing for the first allow rule that would otherwise have granted the request.
    public let unmet: [String]
    /// The rules that match, in the file's order.
    public let rules: [Rule]

    private enum CodingKeys: String, CodingKey {
        case principal
        case principalIsKnown = "principal_is_known"
        case action, path, allowed, rule, unmet, rules
    }
}

extension Policy {
    /// Explains a decision, by the matcher that makes it.
    /// - Parameter request: the request as it would be decided.
    public func explain(_ request: AccessRequest) -> Explanation {
        let decision = decide(request)
        var collector = RuleCollector(action: request.action)
        compiled.match(request, &collector)
        var circumstances = Circumstances(request.context, of: request.principal)
        let rules = collector.rules.sorted().map { index in
            let rule = compiled.source.rules[Int(index)]
            let results = rule.results(in: &circumstances)
            return Explanation.Rule(
                id: rule.id, effect: rule.effect.rawValue, line: rule.line,
                globs: request.action.isGatewayWide ? [] : rule.globs.filter { matches($0, request.path) }.map(\.text),
                conditions: results.map {
                    Explanation.Condition(condition: $0.name, holds: $0.held, problem: $0.held ? nil : $0.unmet)
                },
                applies: results.allSatisfy(\.held), decided: rule.id == decision.ruleID)
        }
        return Explanation(
            principal: request.principal.name,
            principalIsKnown: compiled.indexes[request.principal.name] != nil,
            action: request.action.rawValue, path: request.path?.text, allowed: decision.isAllowed,
            rule: decision.ruleID, unmet: decision.unmet, rules: rules)
    }

    private func matches(_ glob: Glob, _ path: SecretPath?) -> Bool {
        path.map { glob.segments[...].covers($0.segments.map { .literal(String($0)) }[...]) } ?? false
    }
}

/// Collects the rules that match.
private struct RuleCollector: NodeVisitor {
    let action: Action
    var rules = Set<Int32>()

    init(action: Action) {
        self.action = action
    }

    mutating func visit(_ node: RuleTrie.Node, in trie: borrowing RuleTrie) {
        for index in node.entries {
            let entry = trie.entries[Int(index)]
            if entry.actions.contains(action) { rules.insert(entry.rule) }
        }
    }
}

extension Explanation {
    /// The explanation for people: a verdict and a table of the rules that match.
    public var text: String {
        let object = path.map { " \($0)" } ?? ""
        let subject = "\(principal) \(allowed ? "may" : "may not") \(action)\(object)"
        var lines = ["\(allowed ? "allowed" : "denied"): \(subject), \(because)"]
        guard !rules.isEmpty else { return lines[0] + "\n" }
        lines.append("")
        let table = TextTable(header: ["RULE", "EFFECT", "LINE", "GLOBS", "CONDITIONS", "RESULT"])
        return lines.joined(separator: "\n") + "\n"
            + table.text(
                rules.map { rule in
                    let conditions = rule.conditions.map { $0.holds ? $0.condition : "not met: \($0.condition)" }
                    let result = rule.decided ? "decides" : rule.applies ? "applies" : "does not apply"
                    return [
                        rule.id, rule.effect, "\(rule.line)", rule.globs.joined(separator: ", "),
                        conditions.joined(separator: "; "), result,
                    ]
                })
    }

    private var because: String {
        if let rule { return "by the rule \(rule)" }
        if !principalIsKnown { return "since the policy has no such principal" }
        if unmet.isEmpty { return "since no rule allows it" }
        return "since \(unmet.joined(separator: " and "))"
    }
}
