import Foundation
import PosternPolicy
import PosternProtocol
import Testing

@Suite struct ReportTests {
    private func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    @Test func `an explanation names the rules that match, what failed, and who decided`() throws {
        let request = try Sample.request("alice", .read, "vault-root/key", reason: "x")
        let explanation = try Sample.policy().explain(request)
        #expect(
            explanation.text == """
                allowed: alice may read vault-root/key, by the rule alice-does-all

                RULE                EFFECT  LINE  GLOBS           CONDITIONS                        RESULT
                alice-does-all      allow   23    **              -                                 decides
                people-break-glass  allow   27    vault-root/key  reason; not met: second_approver  does not apply

                """)
        let expected =
            #"{"action":"read","allowed":true,"path":"vault-root/key","principal":"alice","principal_is_known":true,"#
            + #""rule":"alice-does-all","rules":[{"applies":true,"conditions":[],"decided":true,"effect":"allow","#
            + #""globs":["**"],"id":"alice-does-all","line":23},{"applies":false,"conditions":[{"condition":"reason","#
            + #""holds":true},{"condition":"second_approver","holds":false,"problem":"a second approver is required"}],"#
            + #""decided":false,"effect":"allow","globs":["vault-root/key"],"id":"people-break-glass","line":27}],"unmet":[]}"#
        #expect(try json(explanation) == expected)
    }

    @Test(
        arguments: [
            ("billing", Action.read, "llm/a", "denied: billing may not read llm/a, since no rule allows it\n"),
            ("eve", .read, "llm/a", "denied: eve may not read llm/a, since the policy has no such principal\n"),
            ("bob", .readAudit, nil, "allowed: bob may read_audit, by the rule bob-audits\n"),
            (
                "bob", .read, "vault-root/key",
                "denied: bob may not read vault-root/key, since a reason is required and a second approver is required\n"
            ),
            (
                "alice", .read, "break-glass/x",
                "denied: alice may not read break-glass/x, by the rule nobody-reads-root\n"
            ),
        ] as [(String, Action, String?, String)])
    func `the verdict is a sentence`(principal: String, action: Action, path: String?, verdict: String) throws {
        let explanation = try Sample.policy().explain(Sample.request(principal, action, path))
        #expect(explanation.text.hasPrefix(verdict), "\(explanation.text)")
    }

    @Test func `the matrix spells out who may do what where, sorted, and joins rules that say the same`() throws {
        let policy = try Sample.policy(
            principals: 2, groups: "groups: { g: [p1, p0] }\n",
            rules: """
                  - { id: z, allow: [write, read], to: ["@g"], on: [b, a] }
                  - { id: a, allow: [read], to: [p0], on: [a] }
                  - { id: n, deny: [all], to: [p1], on: ["**"], when: { networks: [10.0.0.0/8], time: { days: [mon, sat] } } }
                  - { id: w, allow: [read_audit], to: [p0, all] }
                """)
        let matrix = policy.matrix()
        let deny = "networks 10.0.0.0/8; time mon, sat 00:00-24:00 UTC"
        let head = """
            PRINCIPAL  ACTION           GLOB  EFFECT  CONDITIONS                                          RULES
            p0         read             a     allow   -                                                   z, a
            p0         read             b     allow   -                                                   z
            p0         write            a     allow   -                                                   z
            p0         write            b     allow   -                                                   z
            p0         read_audit       -     allow   -                                                   w
            p1         read             **    deny    \(deny)  n
            p1         read             a     allow   -                                                   z

            """
        #expect(matrix.text.hasPrefix(head), "\(matrix.text)")
        #expect(matrix.rows.count == 5 + 4 + 12 + 1)
        #expect(
            try json(matrix).hasPrefix(
                #"{"rows":[{"action":"read","conditions":[],"effect":"allow","glob":"a","principal":"p0","rules":["z","a"]}"#
            ))
        #expect(try JSONDecoder().decode(AccessMatrix.self, from: JSONEncoder().encode(matrix)) == matrix)
    }
}
