import PosternPolicy
import PosternProtocol
import Testing

@Suite struct MayListTests {
    private static let rules = """
          - { id: a, allow: [list], to: [p0], on: ["llm/**", "teams/*/api-*/x", "deep/**/end", "one"] }
          - { id: b, allow: [read], to: [p0], on: ["secret/**"] }
          - { id: c, deny: [list], to: [p0], on: ["llm/hidden/**", "teams/red/**"] }
          - { id: d, allow: [list], to: [p1], on: ["**"], when: { reason: true } }
          - { id: e, deny: [all], to: [p1], on: ["break-glass/**"] }
          - { id: f, deny: [all], to: [p1], on: ["night/**"], when: { time: { days: [sun] } } }
          - { id: g, allow: [all], to: [p2], on: ["**", "a/b"] }
          - { id: h, deny: [all], to: [all], on: ["x/**", "a/*"] }
          - { id: i, deny: [all], to: [p2], on: ["**"] }
        """

    @Test(arguments: [
        ("p0", "", true), ("p0", "llm", true), ("p0", "llm/openai", true), ("p0", "llm/hidden", false),
        ("p0", "llm/hidden/deeper", false), ("p0", "llmx", false), ("p0", "secret", false), ("p0", "teams", true),
        ("p0", "teams/blue", true), ("p0", "teams/blue/api-1", true), ("p0", "teams/blue/web", false),
        ("p0", "teams/red", false), ("p0", "teams/blue/api-1/x", true), ("p0", "teams/blue/api-1/x/y", false),
        ("p0", "deep/a/b", true), ("p0", "deep/a/end", true), ("p0", "one", true), ("p0", "one/two", false),
        ("p1", "", true), ("p1", "break-glass", false), ("p1", "break-glass/a", false), ("p1", "night", true),
        ("p1", "x", false), ("p1", "a", true), ("p2", "", false), ("p2", "a", false), ("nobody", "", false),
    ])
    func `a prefix may be listed if an allow reaches below it that no deny covers`(
        principal: String, prefix: String, expected: Bool
    ) throws {
        let policy = try Sample.policy(rules: Self.rules)
        #expect(try mayList(policy, prefix, principal, reason: "ticket 7").isAllowed == expected)
    }

    @Test func `an allow that a deny takes back whole does not open the root`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: a, allow: [list], to: [p0], on: ["x/y", "x/*/z", "x/api-*"] }
                  - { id: b, deny: [list], to: [all], on: ["x/**"] }
                """)
        #expect(try mayList(policy, "", "p0") == ListDecision(isAllowed: false, ruleID: "b"))
    }

    private func mayList(
        _ policy: Policy, _ prefix: String, _ principal: String, time: Timestamp = Sample.noon, address: String? = nil,
        reason: String? = nil
    ) throws -> ListDecision {
        policy.mayList(
            below: try PathPrefix(prefix), by: PrincipalID(principal),
            context: AccessContext(time: time, address: address, reason: reason))
    }

    @Test func `the rule that decided is named, and nobody's rule where none did`() throws {
        let policy = try Sample.policy(rules: Self.rules)
        func decide(_ prefix: String, _ principal: String) throws -> ListDecision {
            try mayList(policy, prefix, principal, reason: "ticket 7")
        }
        #expect(try decide("llm", "p0") == ListDecision(isAllowed: true, ruleID: "a"))
        #expect(try decide("", "p1") == ListDecision(isAllowed: true, ruleID: "d"))
        #expect(try decide("llm/hidden", "p0") == ListDecision(isAllowed: false, ruleID: "c"))
        #expect(try decide("x", "p1") == ListDecision(isAllowed: false, ruleID: "h"))
        #expect(try decide("", "p2") == ListDecision(isAllowed: false, ruleID: "i"))
        #expect(try decide("secret", "p0") == ListDecision(isAllowed: false, ruleID: nil))
        #expect(try decide("", "nobody") == ListDecision(isAllowed: false, ruleID: nil))
    }

    @Test func `of several rules the first in the file is named, whomever they name`() throws {
        let policy = try Sample.policy(
            groups: "groups: { g: [p0] }\n",
            rules: """
                  - { id: elsewhere, allow: [list], to: [p0], on: ["b"] }
                  - { id: group, allow: [list], to: ["@g"], on: ["a/**"] }
                  - { id: all, allow: [list], to: [all], on: ["a/**"] }
                  - { id: self, allow: [list], to: [p0], on: ["a/**", "c"] }
                  - { id: deny-all, deny: [list], to: [all], on: ["c/**"] }
                  - { id: deny-self, deny: [list], to: [p0], on: ["c/**"] }
                """)
        #expect(try mayList(policy, "a", "p0").ruleID == "group")
        #expect(try mayList(policy, "a", "p1").ruleID == "all")
        #expect(try mayList(policy, "c", "p0").ruleID == "deny-all")
    }

    @Test func `an allow counts only while its conditions hold, and what is missing is said`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: a, allow: [list], to: [all], on: ["x/**"], when: { reason: true } }
                  - { id: b, allow: [list], to: [all], on: ["**"], when: { networks: [10.0.0.0/8] } }
                  - { id: c, deny: [list], to: [all], on: ["x/hidden/**"] }
                """)
        let reason = ListDecision(isAllowed: false, ruleID: nil, unmet: ["a reason is required"])
        #expect(try mayList(policy, "x", "p0") == reason)
        #expect(try mayList(policy, "", "p0") == reason)
        #expect(try mayList(policy, "x", "p0", reason: "ticket 7") == ListDecision(isAllowed: true, ruleID: "a"))
        #expect(try mayList(policy, "x", "p0", address: "10.0.0.1") == ListDecision(isAllowed: true, ruleID: "b"))
        #expect(
            try mayList(policy, "y", "p0", reason: "ticket 7").unmet
                == ["the address is not known, and must be in 10.0.0.0/8"])
        // What no reason would open is not said to need one.
        #expect(try mayList(policy, "x/hidden", "p0") == ListDecision(isAllowed: false, ruleID: "c"))
    }

    @Test func `a deny counts only while its conditions hold, and while it cannot be told`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: a, allow: [list], to: [all], on: ["**"] }
                  - { id: b, deny: [all], to: [all], on: ["night/**"], when: { time: { days: [sun] } } }
                  - { id: c, deny: [all], to: [all], on: ["away/**"], when: { networks: [10.0.0.0/8] } }
                """)
        let sunday = Sample.hours(-48)
        #expect(try mayList(policy, "night", "p0") == ListDecision(isAllowed: true, ruleID: "a"))
        #expect(try mayList(policy, "night", "p0", time: sunday) == ListDecision(isAllowed: false, ruleID: "b"))
        #expect(try mayList(policy, "", "p0", time: sunday) == ListDecision(isAllowed: true, ruleID: "a"))
        for address in ["10.0.0.1", "junk", nil] {
            #expect(
                try mayList(policy, "away", "p0", address: address) == ListDecision(isAllowed: false, ruleID: "c"))
        }
        #expect(try mayList(policy, "away", "p0", address: "192.0.2.1").isAllowed)
    }

    @Test func `false is certain in any context: nothing at or below can be listed`() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            let model = RandomPolicy(&random)
            let policy = try model.parse()
            for _ in 0..<20 {
                let path = RandomPolicy.path(&random)
                let request = AccessRequest(
                    principal: PrincipalID(model.principal(&random)), action: .list, path: path,
                    context: RandomPolicy.context(&random))
                guard policy.decide(request).isAllowed else { continue }
                var segments = path.segments
                while true {
                    let prefix = try PathPrefix(segments.joined(separator: "/"))
                    #expect(
                        policy.mayList(below: prefix, by: request.principal, context: request.context).isAllowed,
                        "\(prefix) for \(request) in\n\(model.yaml)")
                    guard segments.popLast() != nil else { break }
                }
            }
        }
    }

    @Test func `a rule decides only while it holds, and only what is not met is said to be missing`() throws {
        var random = SeededGenerator(seed: 11)
        var counts: [String: Int] = [:]
        for _ in 0..<300 {
            let model = RandomPolicy(&random)
            let policy = try model.parse()
            for _ in 0..<20 {
                let path = RandomPolicy.path(&random)
                let request = AccessRequest(
                    principal: PrincipalID(model.principal(&random)), action: .list, path: path,
                    context: RandomPolicy.context(&random))
                let decision = policy.mayList(
                    below: try PathPrefix(path.text), by: request.principal, context: request.context)
                let note: Comment = "\(request) in\n\(model.yaml)"
                if let rule = model.rules.first(where: { $0.id == decision.ruleID }) {
                    #expect(rule.isDeny != decision.isAllowed && model.holds(rule, request), note)
                    #expect(decision.unmet.isEmpty, note)
                } else {
                    #expect(!decision.isAllowed && decision.ruleID == nil, note)
                    #expect(
                        decision.unmet.isEmpty
                            || model.rules.contains { !$0.isDeny && !model.holds($0, request) }, note)
                }
                let kind = decision.isAllowed ? "allow" : decision.ruleID != nil ? "deny" : "none"
                counts[decision.unmet.isEmpty ? kind : "unmet", default: 0] += 1
            }
        }
        // The random policies are worth the name only if they decide in all ways.
        #expect(["allow", "deny", "none", "unmet"].allSatisfy { counts[$0, default: 0] > 100 }, "\(counts)")
    }
}
