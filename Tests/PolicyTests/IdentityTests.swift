import PosternPolicy
import Testing

@Suite struct IdentityTests {
    private func certificate(
        spiffe: String? = nil, dns: [String] = [], fingerprint: String = "00", commonName: String? = nil
    ) -> Credential {
        .certificate(
            CertificateIdentity(spiffeID: spiffe, dnsNames: dns, fingerprint: fingerprint, commonName: commonName))
    }

    @Test(arguments: [
        ("spiffe://dev.postern/gateway", "gateway"), ("spiffe://dev.postern/gateway/", nil),
        ("spiffe://dev.postern/gateway2", nil), ("spiffe://dev.postern/batch/x", "batch"),
        ("spiffe://dev.postern/batch/x/y", "batch"), ("spiffe://dev.postern/jobs/x", "batch"),
        ("spiffe://dev.postern/batch/", nil), ("spiffe://dev.postern/batch", nil),
        ("spiffe://dev.postern/batches", nil),
        ("spiffe://evil/dev.postern/gateway", nil),
    ])
    func `a SPIFFE ID is matched whole or by a prefix of whole segments`(id: String, principal: String?) throws {
        #expect(try Sample.policy().principal(for: certificate(spiffe: id))?.name == principal)
    }

    @Test func `the longest prefix wins, and an exact ID wins over it`() throws {
        let policy = try Policy.parse(
            """
            version: 1
            principals:
              short: { spiffe_prefix: "spiffe://d/" }
              long: { spiffe_prefix: "spiffe://d/a/b/" }
              exact: { spiffe: "spiffe://d/a/b/c" }
            rules:
              - { id: r, allow: [read], to: [all], on: ["**"] }
            """, file: "p.yaml")
        for (id, name) in [("a/b/c", "exact"), ("a/b/d", "long"), ("a/b", "short"), ("x", "short")] {
            #expect(policy.principal(for: certificate(spiffe: "spiffe://d/\(id)"))?.name == name)
        }
    }

    @Test func `the more specific selector wins`() throws {
        let policy = try Sample.policy()
        let gateway = "spiffe://dev.postern/gateway"
        func name(_ credential: Credential) -> String? { policy.principal(for: credential)?.name }
        #expect(
            name(
                certificate(
                    spiffe: gateway, dns: ["billing.internal"], fingerprint: Sample.fingerprint,
                    commonName: "old-service")) == "legacy")
        #expect(name(certificate(spiffe: gateway, dns: ["billing.internal"], commonName: "old-service")) == "gateway")
        #expect(name(certificate(spiffe: "spiffe://x/y", dns: ["a", "billing.internal"])) == "billing")
        #expect(name(certificate(dns: ["BILLING.EXAMPLE.ORG"])) == "billing")
        #expect(name(certificate(commonName: "old-service")) == "old")
        #expect(name(certificate(dns: ["*.internal"], commonName: "Old-service")) == nil)
        #expect(name(.adminKey(name: "alice")) == "alice")
        #expect(name(.adminKey(name: "gateway")) == nil)
        #expect(name(certificate(commonName: "alice")) == nil)
    }

    @Test func `a fingerprint may be pasted as openssl prints it`() throws {
        let pasted = Array(repeating: "AB", count: 32).joined(separator: ":")
        let policy = try Policy.parse(
            """
            version: 1
            principals: { p: { fingerprint: "\(pasted)" } }
            rules: [{ id: r, allow: [read], to: [p], on: ["**"] }]
            """, file: "p.yaml")
        #expect(policy.principal(for: certificate(fingerprint: Sample.fingerprint))?.name == "p")
    }
}
