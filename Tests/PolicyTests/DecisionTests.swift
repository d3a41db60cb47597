import PosternPolicy
import PosternProtocol
import Testing

@Suite struct DecisionTests {
    @Test(
        arguments: [
            ("gateway", Action.read, "llm/openai/api_key", true, "gateway-reads-llm"),
            ("gateway", .read, "llm", true, "gateway-reads-llm"),
            ("gateway", .write, "llm/openai/api_key", false, nil),
            ("gateway", .read, "llmx/openai", false, nil),
            ("billing", .read, "llm/openai/api_key", false, nil),
            ("alice", .destroy, "any/thing", true, "alice-does-all"),
            ("alice", .read, "break-glass/root", false, "nobody-reads-root"),
            ("alice", .read, "break-glass", false, "nobody-reads-root"),
            ("alice", .read, "break-glassy", true, "alice-does-all"),
            ("stranger", .read, "llm/a", false, nil),
            ("all", .read, "llm/a", false, nil),
        ] as [(String, Action, String, Bool, String?)])
    func `deny wins, what no rule allows is denied, and the rule is named`(
        principal: String, action: Action, path: String, isAllowed: Bool, rule: String?
    ) throws {
        let decision = try Sample.policy().decide(Sample.request(principal, action, path))
        #expect(decision == Decision(isAllowed: isAllowed, ruleID: rule))
    }

    @Test func `of several rules that apply, the first in the file is reported`() throws {
        let policy = try Sample.policy(
            groups: "groups: { g: [p0, p1] }\n",
            rules: """
                  - { id: narrow-with-reason, allow: [read], to: [p0], on: [a/b], when: { reason: true } }
                  - { id: by-group, allow: [read], to: ["@g"], on: [a/**] }
                  - { id: direct, allow: [read], to: [p0], on: [a/b] }
                  - { id: everybody, allow: [all], to: [all], on: ["**"] }
                """)
        #expect(try policy.decide(Sample.request("p0", .read, "a/b")).ruleID == "by-group")
        #expect(try policy.decide(Sample.request("p0", .read, "a/b", reason: "x")).ruleID == "narrow-with-reason")
        #expect(try policy.decide(Sample.request("p2", .read, "a/b")).ruleID == "everybody")
    }

    @Test(arguments: [
        ("**", "a", true), ("**", "a/b/c", true), ("*", "a", true), ("*", "a/b", false), ("a/*", "a", false),
        ("a/*/c", "a/b/c", true), ("a/*/c", "a/b/b/c", false), ("a/**/c", "a/c", true), ("a/**/c", "a/b/b/c", true),
        ("a/**/c", "a/c/d", false), ("**/c", "c", true), ("**/c", "a/b/c", true), ("**/c", "a/c/b", false),
        ("**/b/**", "b", true), ("**/b/**", "a/b/c", true), ("**/b/**", "a/c", false), ("a/**/*", "a", false),
        ("a/**/*", "a/b", true), ("api-*", "api-x", true), ("api-*", "api-", true), ("api-*", "api", false),
        ("*-key", "a-key", true), ("*-key", "a-key-b", false), ("a*b*c", "aXbbYc", true), ("a*b*c", "acb", false),
        ("x/*a*/y", "x/bab/y", true), ("a*", "b", false), ("**/a/**/a/**/a", "a/a/a", true),
        ("**/a/**/a/**/a", "a/a/b", false), ("a.b", "aXb", false),
    ])
    func `a glob matches the paths it stands for and no others`(glob: String, path: String, matches: Bool) throws {
        let policy = try Sample.policy(rules: "  - { id: r, allow: [read], to: [p0], on: [\"\(glob)\"] }")
        #expect(try policy.decide(Sample.request("p0", .read, path)).isAllowed == matches)
    }

    @Test func `a gateway-wide action needs a rule that is not limited to some paths`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: some, allow: [all], to: [p0], on: ["a/**"] }
                  - { id: audit, allow: [read_audit], to: [p1] }
                  - { id: any, allow: [all], to: [p2], on: ["**"] }
                """)
        #expect(try !policy.decide(Sample.request("p0", .readAudit, nil)).isAllowed)
        #expect(try policy.decide(Sample.request("p1", .readAudit, nil)).ruleID == "audit")
        #expect(try !policy.decide(Sample.request("p1", .explainPolicy, nil)).isAllowed)
        #expect(try policy.decide(Sample.request("p2", .explainPolicy, nil)).ruleID == "any")
    }

    @Test func `a deny on some paths does not deny what has no path`() throws {
        #expect(try Sample.policy().decide(Sample.request("alice", .readAudit, nil)).isAllowed)
    }

    @Test func `an action that needs a path is denied without one, and Postern's own records are out of reach`() throws
    {
        let policy = try Sample.policy(rules: "  - { id: r, allow: [all], to: [all], on: [\"**\", \"*/*\"] }")
        #expect(try !policy.decide(Sample.request("p0", .read, nil)).isAllowed)
        let reserved = AccessRequest(
            principal: PrincipalID("p0"), action: .read, path: try SecretPath.reserved("keyring"),
            context: AccessContext(time: Sample.noon))
        #expect(!policy.decide(reserved).isAllowed)
        #expect(policy.explain(reserved).rules.isEmpty)
    }

    @Test func `what it knows can be asked`() throws {
        let policy = try Sample.policy()
        #expect(policy.ruleCount == 7)
        #expect(policy.principals.map(\.name) == ["gateway", "batch", "billing", "legacy", "old", "alice", "bob"])
    }
}
