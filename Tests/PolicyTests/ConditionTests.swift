import PosternPolicy
import PosternProtocol
import Testing

@Suite struct ConditionTests {
    private func decide(_ when: String, _ request: AccessRequest) throws -> Decision {
        let rule = "  - { id: r, allow: [read], to: [all], on: [\"**\"], when: { \(when) } }"
        return try Sample.policy(rules: rule).decide(request)
    }

    @Test(arguments: [
        ("10.1.2.3", true), ("10.255.255.255", true), ("11.0.0.0", false), ("::1", true), ("::2", false),
        ("::ffff:10.0.0.1", true), ("::ffff:11.0.0.1", false), ("fe80::1%eth0", true), ("192.168.7.9", true),
        ("192.168.7.10", false), (nil, false), ("", false), ("10.0.0", false), ("10.0.0.1\0", false),
        ("010.0.0.1", false),
    ])
    func `a network condition holds for addresses inside, however they are written`(
        address: String?, isAllowed: Bool
    ) throws {
        let networks = "networks: [10.0.0.0/8, \"::1/128\", \"fe80::/10\", 192.168.7.9/32]"
        let decision = try decide(networks, Sample.request("p0", .read, "a", address: address))
        #expect(decision.isAllowed == isAllowed)
        #expect(decision.unmet.isEmpty == isAllowed)
    }

    @Test func `all of IPv6 is not all of IPv4`() throws {
        #expect(try !decide("networks: [\"::/0\"]", Sample.request("p0", .read, "a", address: "10.0.0.1")).isAllowed)
        #expect(try decide("networks: [0.0.0.0/0]", Sample.request("p0", .read, "a", address: "10.0.0.1")).isAllowed)
    }

    // The sample's noon is a Tuesday's.
    @Test(arguments: [
        ("days: [mon, tue], from: \"08:00\", to: \"18:00\"", 0, true),
        ("days: [mon, tue], from: \"08:00\", to: \"18:00\"", 6, false),
        ("days: [mon, tue], from: \"08:00\", to: \"18:00\"", -4, true),
        ("days: [mon, tue], from: \"08:00\", to: \"18:00\"", -5, false),
        ("days: [mon, tue], from: \"08:00\", to: \"18:00\"", 24, false),
        ("days: [sun]", -36, false), ("days: [sun]", -37, true), ("days: [sun]", -60, true),
        ("days: [sun]", -61, false),
        ("from: \"12:00\", to: \"24:00\"", 11, true), ("from: \"12:00\", to: \"24:00\"", 12, false),
        ("from: \"22:00\", to: \"06:00\"", 10, true), ("from: \"22:00\", to: \"06:00\"", 17, true),
        ("from: \"22:00\", to: \"06:00\"", 18, false),
        ("days: [tue], from: \"22:00\", to: \"06:00\"", 17, true),
        ("days: [tue], from: \"22:00\", to: \"06:00\"", -7, false),
        ("days: [wed], from: \"22:00\", to: \"06:00\"", 17, false),
    ])
    func `a time condition holds inside its window, in UTC, past midnight too`(
        time: String, hours: Int, isAllowed: Bool
    ) throws {
        let request = try Sample.request("p0", .read, "a", time: Sample.hours(hours))
        #expect(try decide("time: { \(time) }", request).isAllowed == isAllowed)
    }

    @Test func `times before 1970 are days of the week too`() throws {
        let wednesday = Timestamp(microseconds: -1)
        #expect(try decide("time: { days: [wed] }", Sample.request("p0", .read, "a", time: wednesday)).isAllowed)
        let far = Timestamp(microseconds: .min)
        #expect(
            try decide("time: { from: \"00:00\", to: \"24:00\" }", Sample.request("p0", .read, "a", time: far))
                .isAllowed)
    }

    @Test func `a blank reason is none, and nobody approves their own request`() throws {
        let policy = try Sample.policy()
        func decide(_ reason: String?, _ approver: String?) throws -> Decision {
            try policy.decide(
                Sample.request("bob", .read, "vault-root/key", reason: reason, approver: approver))
        }
        let both = ["a reason is required", "a second approver is required"]
        #expect(try decide(nil, nil) == Decision(isAllowed: false, ruleID: nil, unmet: both))
        #expect(try decide(" \n", "bob") == Decision(isAllowed: false, ruleID: nil, unmet: both))
        #expect(try decide("incident 7", "bob").unmet == ["a second approver is required"])
        #expect(try decide("incident 7", "alice") == Decision(isAllowed: true, ruleID: "people-break-glass"))
    }

    @Test func `what is missing is said for the first rule that would have granted`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: a, allow: [write], to: [all], on: [x], when: { reason: true } }
                  - { id: b, allow: [read], to: [all], on: [x], when: { networks: [10.0.0.0/8, 172.16.0.0/12] } }
                  - { id: c, allow: [read], to: [p0], on: ["**"], when: { reason: true } }
                  - { id: d, allow: [read], to: [all], on: [y], when: { time: { days: [mon] } } }
                """)
        #expect(
            try policy.decide(Sample.request("p0", .read, "x", address: "192.0.2.1")).unmet
                == ["the address 192.0.2.1 is not in 10.0.0.0/8, 172.16.0.0/12"])
        #expect(
            try policy.decide(Sample.request("p1", .read, "x")).unmet
                == ["the address is not known, and must be in 10.0.0.0/8, 172.16.0.0/12"])
        #expect(
            try policy.decide(Sample.request("p1", .read, "y")).unmet == ["the time is outside mon 00:00-24:00 UTC"])
    }

    @Test func `a deny with conditions denies only while they hold`() throws {
        let policy = try Sample.policy()
        #expect(try policy.decide(Sample.request("alice", .write, "a", time: Sample.hours(0))).isAllowed)
        #expect(
            try policy.decide(Sample.request("alice", .write, "a", time: Sample.hours(11)))
                == Decision(isAllowed: false, ruleID: "no-writes-by-night"))
    }

    @Test(arguments: [
        ("10.1.2.3", "inside"), ("192.0.2.1", "everywhere"), (nil, "inside"), ("", "inside"), ("10.0.0", "inside"),
    ])
    func `a deny for networks applies to addresses inside and to unknown ones`(
        address: String?, rule: String
    ) throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: everywhere, allow: [read], to: [all], on: ["**"] }
                  - { id: inside, deny: [read], to: [all], on: ["**"], when: { networks: [10.0.0.0/8] } }
                """)
        let request = try Sample.request("p0", .read, "a", address: address)
        #expect(policy.decide(request) == Decision(isAllowed: rule == "everywhere", ruleID: rule))
        let explanation = policy.explain(request)
        #expect(explanation.rule == rule)
        let deny = try #require(explanation.rules.last)
        #expect(deny.applies == (rule == "inside") && deny.conditions.map(\.holds) == [deny.applies])
    }

    @Test func `an unknown address does not make the rest of a deny's conditions hold`() throws {
        let policy = try Sample.policy(
            rules: """
                  - { id: a, allow: [read], to: [all], on: ["**"] }
                  - { id: b, deny: [all], to: [all], on: ["**"], when: { networks: [10.0.0.0/8], time: { days: [sun] } } }
                """)
        #expect(try policy.decide(Sample.request("p0", .read, "a")).ruleID == "a")
    }

    @Test func `a condition switched off asks for nothing`() throws {
        #expect(try decide("reason: false, second_approver: false", Sample.request("p0", .read, "a")).isAllowed)
    }
}
