// What the policy tests share: a policy, requests, and reproducible randomness.

import PosternPolicy
import PosternProtocol

enum Sample {
    static let fingerprint = String(repeating: "ab", count: 32)

    static let yaml = """
        version: 1
        principals:
          gateway:  { spiffe: "spiffe://dev.postern/gateway" }
          batch:    { spiffe_prefix: ["spiffe://dev.postern/batch/", "spiffe://dev.postern/jobs/"] }
          billing:  { dns: [billing.internal, Billing.example.org] }
          legacy:   { fingerprint: "\(fingerprint)" }
          old:      { common_name: old-service }
          alice:    { admin_key: alice }
          bob:      { admin_key: bob }
        groups:
          services: [gateway, billing]
          people: [alice, bob]
        rules:
          - id: gateway-reads-llm
            allow: [read, list, describe]
            to: [gateway]
            on: ["llm/**"]
          - id: office-hours
            allow: [read, list]
            to: ["@services"]
            on: ["teams/*/api-*", "shared/**/key"]
            when: { networks: ["10.0.0.0/8", "::1/128"], time: { days: [mon, tue], from: "08:00", to: "18:00" } }
          - id: alice-does-all
            allow: [all]
            to: [alice]
            on: ["**"]
          - id: people-break-glass
            allow: [read]
            to: ["@people"]
            on: ["vault-root/key"]
            when: { reason: true, second_approver: true }
          - id: bob-audits
            allow: [read_audit]
            to: [bob]
          - id: nobody-reads-root
            deny: [all]
            to: [all]
            on: ["break-glass/**"]
          - id: no-writes-by-night
            deny: [write]
            to: [all]
            on: ["**"]
            when: { time: { from: "22:00", to: "06:00" } }

        """

    static func policy() throws -> Policy { try Policy.parse(yaml, file: "policy.yaml") }

    /// A policy of some principals `p0`, `p1` … and the rules given, each indented by two spaces.
    static func policy(principals: Int = 3, groups: String = "", rules: String) throws -> Policy {
        let names = (0..<principals).map { "  p\($0): { admin_key: k\($0) }\n" }.joined()
        return try Policy.parse("version: 1\nprincipals:\n\(names)\(groups)rules:\n\(rules)\n", file: "p.yaml")
    }

    /// Tuesday 2026-11-24, noon UTC.
    static let noon = Timestamp(seconds: 1_795_521_600)

    static func request(
        _ principal: String, _ action: Action, _ path: String?, time: Timestamp = noon, address: String? = nil,
        reason: String? = nil, approver: String? = nil
    ) throws -> AccessRequest {
        AccessRequest(
            principal: PrincipalID(principal), action: action, path: try path.map { try SecretPath($0) },
            context: AccessContext(
                time: time, address: address, reason: reason, approver: approver.map { PrincipalID($0) }))
    }

    static func hours(_ hours: Int) -> Timestamp { noon.advanced(by: .seconds(hours * 3_600)) }
}

/// SplitMix64: the same numbers for the same seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
