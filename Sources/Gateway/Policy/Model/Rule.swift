// A policy as read from its file: names resolved, everything valid, nothing compiled yet.

/// What a rule does.
enum Effect: String, Sendable, Codable {
    case allow, deny
}

/// One rule.
struct Rule: Sendable {
    let id: String
    let effect: Effect
    /// As written, or everything for `all`.
    let actions: ActionSet
    /// Whom the rule names.
    let audiences: [Audience]
    /// Empty only for rules of gateway-wide actions.
    let globs: [Glob]
    /// Nil where the rule has none.
    let conditions: Conditions?
    let line: Int

    /// The gateway-wide actions the rule covers. A rule for some paths does not reach beyond them:
    /// `all` on `llm/**` does not include reading the audit log, `all` on `**` does.
    var gatewayActions: ActionSet {
        guard globs.isEmpty || globs.contains(where: \.matchesEverything) else { return ActionSet() }
        return actions.subtracting(actions.subtracting(.gatewayWide))
    }

    /// The actions the rule covers on its paths.
    var pathActions: ActionSet { actions.subtracting(.gatewayWide) }

    /// Whether the rule's conditions, where it has any, all hold.
    func applies(in circumstances: inout Circumstances) -> Bool {
        conditions?.hold(for: effect, in: &circumstances) ?? true
    }

    /// What became of each condition.
    func results(in circumstances: inout Circumstances) -> [Conditions.Result] {
        conditions?.results(for: effect, in: &circumstances) ?? []
    }

    /// What was missing for the rule to apply, as sentences.
    func unmet(in circumstances: inout Circumstances) -> [String] {
        results(in: &circumstances).filter { !$0.held }.map(\.unmet)
    }
}

/// An entry of a rule's `to`.
enum Audience: Hashable, Sendable {
    case everybody
    /// An index into ``PolicySource/groups``.
    case group(Int)
    /// An index into ``PolicySource/principals``.
    case principal(Int)
}

/// Everything a policy file says.
struct PolicySource: Sendable {
    struct Principal: Sendable {
        let id: PrincipalID
        let selectors: [Selector]
    }

    struct Group: Sendable {
        let name: String
        /// Indexes into ``PolicySource/principals``, each once, ascending.
        let members: [Int]
    }

    var principals: [Principal] = []
    var groups: [Group] = []
    var rules: [Rule] = []

    /// The principals a rule names, by index, each once, ascending.
    func members(of rule: Rule) -> [Int] {
        if rule.audiences.contains(.everybody) { return Array(principals.indices) }
        var members = Set<Int>()
        for audience in rule.audiences {
            switch audience {
            case .everybody: break
            case .group(let group): members.formUnion(groups[group].members)
            case .principal(let principal): members.insert(principal)
            }
        }
        return members.sorted()
    }
}
