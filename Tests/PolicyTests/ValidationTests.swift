import PosternPolicy
import Testing

/// What is wrong with a policy: `line:column` and a part of the message.
private struct Fault: CustomTestStringConvertible {
    let yaml: String
    let place: String
    let message: String
    var testDescription: String { message }

    init(_ place: String, _ message: String, _ yaml: String) {
        self.yaml = yaml
        self.place = place
        self.message = message
    }

    /// A policy that is right but for one rule, on line 7.
    static func rule(_ column: Int, _ message: String, _ rule: String) -> Fault {
        Fault(
            "7:\(column)", message,
            "version: 1\nprincipals:\n  p: { admin_key: p }\n  q: { dns: q.example }\ngroups: { g: [p] }\nrules:\n- \(rule)\n"
        )
    }

    /// A policy that is right but for one principal, on line 3.
    static func principal(_ column: Int, _ message: String, _ principal: String) -> Fault {
        Fault(
            "3:\(column)", message,
            "version: 1\nprincipals:\n  \(principal)\nrules: [{ id: r, allow: [read], to: [all], on: [\"**\"] }]\n")
    }
}

private func problems(_ yaml: String) -> [PolicyProblem] {
    do throws(PolicyProblems) {
        _ = try Policy.parse(yaml, file: "p.yaml")
        return []
    } catch {
        return error.problems
    }
}

@Suite struct ValidationTests {
    private static let faults: [Fault] = [
        Fault("1:1", "file is empty", ""),
        Fault("1:1", "must be a mapping", "just text"),
        Fault("1:1", "no version", "principals: {}"),
        Fault("1:10", "\"2\" is not supported", "version: 2"),
        Fault("2:1", "unknown key \"rulez\"", "version: 1\nrulez: []"),
        Fault("1:1", "no principals", "version: 1"),
        Fault("2:13", "principals is empty", "version: 1\nprincipals: {}"),
        Fault("2:8", "rules is an empty list", "version: 1\nrules: []"),
        Fault("2:8", "rules must be a list", "version: 1\nrules: {}"),
        Fault("2:9", "must be a mapping of names", "version: 1\ngroups: [a]"),
        Fault("1:1", "no rules", "version: 1"),
        Fault("3:1", "more than once in the same mapping: \"version\"", "\n\nversion: 1\nversion: 1"),
        Fault("2:1", "did not find expected key", "a: b\n- c"),
        Fault("1:7", "Put globs that start with * in quotes", "on: [*]"),
        Fault("1:6", "Put globs that start with * in quotes", "on: [*-key]"),
        Fault("1:6", "Put group names in quotes", "to: [@g]"),
        Fault("2:1", "but found another document", "a: b\n---\nc: d"),
        Fault("2:3", "not YAML text", "a: b\né \u{1}"),
        Fault("2:4", "anchors and aliases", "a: &x b\nc: *x"),
        Fault("1:4", "anchors (&name)", "a: &x b"),
        Fault("1:4", "tag !secret", "a: !secret b"),
        Fault("3:3", "is taken", "version: 1\nprincipals:\n  all: { admin_key: a }"),
        Fault("3:3", "principal name \"a b\" must be", "version: 1\nprincipals:\n  a b: { admin_key: a }"),
        Fault(
            "4:11", "There is no principal \"x\"",
            "version: 1\nprincipals: { p: { admin_key: p } }\ngroups:\n  g: [ p, x ]"),
        Fault(
            "5:10", "is a group; groups hold principals only",
            "version: 1\nprincipals: { p: { admin_key: p } }\ngroups:\n  g: [p]\n  h: [p, g]"),
        Fault("4:6", "is an empty list", "version: 1\nprincipals: { p: { admin_key: p } }\ngroups:\n  g: []"),
        Fault("4:6", "must be a list of texts", "version: 1\nprincipals: { p: { admin_key: p } }\ngroups:\n  g: p"),
        .principal(6, "must be a mapping with the keys", "p: text"),
        .principal(6, "nothing to be recognised by", "p: {}"),
        .principal(8, "unknown key \"spify\"", "p: { spify: x }"),
        .principal(21, "64 hex digits", "p: { fingerprint: abc }"),
        .principal(16, "must start with spiffe://", "p: { spiffe: \"http://x/y\" }"),
        .principal(16, "needs a trust domain", "p: { spiffe: \"spiffe:///y\" }"),
        .principal(16, "bad segment \"\"", "p: { spiffe: \"spiffe://x/\" }"),
        .principal(16, "bad segment \"..\"", "p: { spiffe: \"spiffe://x/../y\" }"),
        .principal(23, "must end with a slash", "p: { spiffe_prefix: \"spiffe://x/batch\" }"),
        .principal(13, "DNS name without wildcards", "p: { dns: \"*.example\" }"),
        .principal(13, "is an empty list", "p: { dns: [] }"),
        .principal(19, "must be 1 to 128 letters", "p: { admin_key: a/b }"),
        .principal(38, "already belongs to the principal \"p\"", "{ p: { dns: a.b }, q: { dns: [x.y, A.b] } }"),
        .rule(3, "A rule must be a mapping", "text"),
        .rule(3, "has no id", "{ allow: [read], to: [p], on: [a] }"),
        .rule(9, "rule id \"a b\" must be", "{ id: a b, allow: [read], to: [p], on: [a] }"),
        .rule(3, "neither allows nor denies", "{ id: r, to: [p], on: [a] }"),
        .rule(33, "both allows and denies", "{ id: r, allow: [read], deny: [list], to: [p], on: [a] }"),
        .rule(20, "no action \"reed\"", "{ id: r, allow: [reed], to: [p], on: [a] }"),
        .rule(19, "allow is an empty list", "{ id: r, allow: [], to: [p], on: [a] }"),
        .rule(19, "allow must be a list", "{ id: r, allow: read, to: [p], on: [a] }"),
        .rule(20, "must be text", "{ id: r, allow: [[read]], to: [p], on: [a] }"),
        .rule(3, "says not to whom", "{ id: r, allow: [read], on: [a] }"),
        .rule(32, "no principal \"x\"", "{ id: r, allow: [read], to: [x], on: [a] }"),
        .rule(32, "no group \"x\"", "{ id: r, allow: [read], to: [\"@x\"], on: [a] }"),
        .rule(32, "write \"@g\", in quotes", "{ id: r, allow: [read], to: [g], on: [a] }"),
        .rule(3, "says not on which paths", "{ id: r, allow: [read], to: [p] }"),
        .rule(20, "cannot be limited", "{ id: r, allow: [read_audit], to: [p], on: [a] }"),
        .rule(20, "cannot be limited", "{ id: r, allow: [read_audit], to: [p], on: [\"a/**\"] }"),
        .rule(41, "empty segment", "{ id: r, allow: [read], to: [p], on: [\"a//b\"] }"),
        .rule(41, "empty segment", "{ id: r, allow: [read], to: [p], on: [\"/a\"] }"),
        .rule(41, "no path can have", "{ id: r, allow: [read], to: [p], on: [\"a/../b\"] }"),
        .rule(41, "reserved for Postern", "{ id: r, allow: [read], to: [p], on: [\".postern/**\"] }"),
        .rule(41, "must be a whole segment", "{ id: r, allow: [read], to: [p], on: [\"a**\"] }"),
        .rule(41, "has \"**/**\"", "{ id: r, allow: [read], to: [p], on: [\"a/**/**\"] }"),
        .rule(41, "use at most 3", "{ id: r, allow: [read], to: [p], on: [\"**/a/**/a/**/a/**\"] }"),
        .rule(41, "a character other than", "{ id: r, allow: [read], to: [p], on: [\"a*ä\"] }"),
        .rule(
            41, "more than 16 segments",
            "{ id: r, allow: [read], to: [p], on: [\"\(Array(repeating: "a", count: 17).joined(separator: "/"))\"] }"),
        .rule(51, "when is empty", "{ id: r, allow: [read], to: [p], on: [a], when: {} }"),
        .rule(53, "unknown key \"reasons\"", "{ id: r, allow: [read], to: [p], on: [a], when: { reasons: true } }"),
        .rule(61, "must be true or false", "{ id: r, allow: [read], to: [p], on: [a], when: { reason: yes } }"),
        .rule(61, "must be true or false", "{ id: r, allow: [read], to: [p], on: [a], when: { reason: \"true\" } }"),
        .rule(50, "A deny rule applies when", "{ id: r, deny: [read], to: [p], on: [a], when: { reason: true } }"),
        .rule(64, "no prefix length", "{ id: r, allow: [read], to: [p], on: [a], when: { networks: [10.0.0.1] } }"),
        .rule(64, "bad prefix length", "{ id: r, allow: [read], to: [p], on: [a], when: { networks: [10.0.0.0/33] } }"),
        .rule(64, "bits set after", "{ id: r, allow: [read], to: [p], on: [a], when: { networks: [10.0.0.1/8] } }"),
        .rule(64, "is no network", "{ id: r, allow: [read], to: [p], on: [a], when: { networks: [10.0.0/8] } }"),
        .rule(
            64, "write it as IPv4",
            "{ id: r, allow: [read], to: [p], on: [a], when: { networks: [\"::ffff:10.0.0.0/104\"] } }"),
        .rule(59, "time is empty", "{ id: r, allow: [read], to: [p], on: [a], when: { time: {} } }"),
        .rule(68, "no day \"noday\"", "{ id: r, allow: [read], to: [p], on: [a], when: { time: { days: [noday] } } }"),
        .rule(
            59, "needs both from and to",
            "{ id: r, allow: [read], to: [p], on: [a], when: { time: { from: \"08:00\" } } }"),
        .rule(
            67, "is no time",
            "{ id: r, allow: [read], to: [p], on: [a], when: { time: { from: \"8:00\", to: \"09:00\" } } }"),
        .rule(
            67, "is no time",
            "{ id: r, allow: [read], to: [p], on: [a], when: { time: { from: \"24:01\", to: \"09:00\" } } }"),
        .rule(
            67, "starts where it ends",
            "{ id: r, allow: [read], to: [p], on: [a], when: { time: { from: \"08:00\", to: \"08:00\" } } }"),
    ]

    @Test(arguments: faults)
    private func `a fault is told with its place and what to do`(fault: Fault) {
        let found = problems(fault.yaml)
        #expect(
            found.contains { "\($0.line):\($0.column)" == fault.place && $0.message.contains(fault.message) },
            "\(fault.place) \(fault.message)\nfound:\n\(found.map(\.description).joined(separator: "\n"))")
        #expect(found.allSatisfy { $0.file == "p.yaml" && $0.message.hasSuffix(".") })
    }

    @Test func `all faults of a file are told at once, in the order of the lines`() {
        let found = problems(
            """
            version: 3
            colour: red
            principals:
              a: { dns: "*" }
              b: { dns: x.y, spiffe: "spiffe://x" }
              c: { dns: x.y }
            rules:
              - id: r
                allow: [reed]
                to: [nobody]
                on: ["a//b"]
                when: { networks: [x], time: { from: "1", to: "2" } }
              - id: r
                deny: [all]
                to: ["@none"]
            """)
        #expect(found.map(\.line) == [1, 2, 4, 6, 9, 10, 11, 12, 12, 12, 13, 13, 15])
        #expect(found.first?.description.hasPrefix("p.yaml:1:10: The policy's version") == true)
    }

    @Test func `a file or a list of rules past its limit is refused`() {
        #expect(problems(String(repeating: "#", count: 4 << 20) + "\n").first?.message.contains("4194304") == true)
        let rules = String(repeating: "- {}\n", count: 10_001)
        #expect(problems("version: 1\nprincipals: { p: { dns: a.b } }\nrules:\n\(rules)").map(\.line) == [4])
    }

    @Test func `an alias bomb is refused before it is built`() {
        var yaml = "a0: &a0 [x, x]\n"
        for level in 1..<60 { yaml += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(problems(yaml + "? *a59 : x\n").map(\.line) == [2])
        #expect(problems("{&a{x: y}: 1, *a: 2}").map(\.message.isEmpty) == [false])
    }

    @Test func `a star or an ampersand that names nothing is text`() throws {
        let policy = try Policy.parse(
            """
            version: 1 # R&D, *not* secret
            principals: { p: { common_name: "R&D *x" } }
            rules: [{ id: r, allow: [read], to: [p], on: ["*-key", '**'] }]
            """, file: "p.yaml")
        #expect(policy.ruleCount == 1)
    }
}
