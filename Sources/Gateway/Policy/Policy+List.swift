// Whether there is any point in listing.

public import PosternProtocol

/// The answer to whether anything below a prefix may be listed.
public struct ListDecision: Sendable, Equatable {
    /// Whether some secret at or below the prefix could be listed.
    public let isAllowed: Bool
    /// The rule that decided: the first allow rule in file order that grants something there, or the first deny
    /// rule that covers everything below the prefix or what an allow rule grants there. Nil where no rule applied.
    public let ruleID: String?
    /// Where no rule applied: what was missing for the first allow rule, in file order, that would
    /// otherwise have granted something there. Else empty.
    public let unmet: [String]

    /// Makes a decision.
    public init(isAllowed: Bool, ruleID: String?, unmet: [String] = []) {
        self.isAllowed = isAllowed
        self.ruleID = ruleID
        self.unmet = unmet
    }
}

extension Policy {
    /// Whether some secret at or below a prefix could be listed now: used to refuse lists that must stay empty
    /// and to leave out folders with nothing to see.
    ///
    /// Rules count as they do in ``decide(_:)``: only where their conditions hold in the context. But a deny rule
    /// takes back only what a single glob of it covers whole. So allowed may turn out to be an empty list;
    /// that nothing can be listed in this context is certain.
    /// - Parameters:
    ///   - prefix: where to look.
    ///   - principal: who looks.
    ///   - context: what conditions look at.
    public func mayList(
        below prefix: PathPrefix, by principal: PrincipalID, context: AccessContext
    ) -> ListDecision {
        guard let index = compiled.indexes[principal.name] else { return ListDecision(isAllowed: false, ruleID: nil) }
        let audiences = compiled.memberships[index].map { compiled.audiences[$0] }
        let rules = compiled.source.rules
        var circumstances = Circumstances(context, of: principal)
        let denies = audiences.flatMap(\.hidden).sorted().map { rules[$0] }.filter { $0.applies(in: &circumstances) }
        let names = prefix.text.split(separator: "/").map(String.init)
        let place = names.map(Glob.Segment.literal)
        if let deny = denies.first(where: { $0.covers(place + [.deep]) }) {
            return ListDecision(isAllowed: false, ruleID: deny.id)
        }

        var failed: Rule?
        var takenBack: [[Glob.Segment]] = []
        for rule in audiences.flatMap(\.listed).sorted().lazy.map({ rules[$0] }) {
            let grants = rule.globs.flatMap { $0.remainders(below: names) }.map { place + $0 }
            let isOpen = grants.contains { grant in !denies.contains { $0.covers(grant) } }
            if isOpen, rule.applies(in: &circumstances) { return ListDecision(isAllowed: true, ruleID: rule.id) }
            if isOpen { failed = failed ?? rule } else { takenBack += grants }
        }
        if let failed {
            return ListDecision(isAllowed: false, ruleID: nil, unmet: failed.unmet(in: &circumstances))
        }
        let deny = denies.first { takenBack.contains(where: $0.covers) }
        return ListDecision(isAllowed: false, ruleID: deny?.id)
    }
}

extension Rule {
    /// Whether one of the globs matches every path that some segments do.
    fileprivate func covers(_ segments: [Glob.Segment]) -> Bool {
        globs.contains { $0.segments[...].covers(segments[...]) }
    }
}

extension Glob {
    /// What is left to match below a path: nothing if the glob cannot match there.
    fileprivate func remainders(below names: [String]) -> Set<ArraySlice<Segment>> {
        names.reduce([segments[...]]) { remainders, name in
            remainders.isEmpty ? [] : Set(remainders.flatMap { $0.remainders(after: name) })
        }
    }
}
