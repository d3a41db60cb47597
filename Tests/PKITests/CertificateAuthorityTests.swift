// The certificates are judged by openssl, not by the library that made them.

import Foundation
import PosternPKI
import PosternProtocol
import Testing

@Suite struct CertificateAuthorityTests {
    let directory: TemporaryDirectory
    let authority: CertificateAuthority
    let root: String

    init() throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority.create(commonName: "Test CA")
        root = try directory.file("ca.pem", try authority.identity().certificatePEM)
    }

    private func verify(_ issued: IssuedCertificate, purpose: String, extra: [String] = []) throws -> Int32 {
        let file = try directory.file("leaf.pem", issued.certificatePEM)
        let arguments = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", root] + extra + [file]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func text(_ issued: IssuedCertificate) throws -> String {
        try openssl("x509", "-noout", "-text", "-in", try directory.file("text.pem", issued.certificatePEM)).output
    }

    @Test func `a server certificate is good for servers only, and for its names only`() throws {
        let server = try authority.issueServer(
            dnsNames: ["localhost", "A.example"], ipAddresses: ["127.0.0.1", "::1"])
        #expect(try verify(server, purpose: "sslserver") == 0)
        #expect(try verify(server, purpose: "sslclient") != 0)
        #expect(try verify(server, purpose: "sslserver", extra: ["-verify_hostname", "a.example"]) == 0)
        #expect(try verify(server, purpose: "sslserver", extra: ["-verify_ip", "127.0.0.1"]) == 0)
        #expect(try verify(server, purpose: "sslserver", extra: ["-verify_ip", "::1"]) == 0)
        #expect(try verify(server, purpose: "sslserver", extra: ["-verify_hostname", "b.example"]) != 0)
    }

    @Test func `a client certificate is good for clients only and carries the names asked for`() throws {
        let client = try authority.issueClient(spiffeID: "spiffe://example.org/billing", dnsName: "billing.example.org")
        #expect(try verify(client, purpose: "sslclient") == 0)
        #expect(try verify(client, purpose: "sslserver") != 0)
        let text = try text(client)
        #expect(text.contains("URI:spiffe://example.org/billing, DNS:billing.example.org"))
        #expect(text.contains("Subject: CN = billing"))
    }

    @Test func `certificates have the extensions that RFC 5280 asks for`() throws {
        let leaf = try text(try authority.issueClient(spiffeID: "spiffe://example.org/a"))
        #expect(leaf.contains("ASN1 OID: prime256v1"))
        #expect(leaf.contains("Signature Algorithm: ecdsa-with-SHA256"))
        #expect(leaf.contains("X509v3 Basic Constraints: critical\n                CA:FALSE"))
        #expect(leaf.contains("X509v3 Key Usage: critical\n                Digital Signature\n"))
        #expect(leaf.contains("X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n"))
        #expect(leaf.contains("X509v3 Subject Key Identifier:"))
        #expect(leaf.contains("X509v3 Authority Key Identifier:"))
        let own = try text(try authority.identity())
        #expect(own.contains("X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0"))
        #expect(own.contains("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n"))
    }

    @Test func `the clock given decides validity, backdated five minutes and never past the authority's own`() throws {
        let now = Timestamp(seconds: 1_900_000_000)
        let authority = try CertificateAuthority.create(
            commonName: "Clock CA", validity: .seconds(10 * 86_400), clock: FixedClock(time: now))
        let leaf = try authority.issueClient(dnsName: "a", validity: .seconds(3600))
        #expect(leaf.notAfter == now.advanced(by: .seconds(3600)))
        #expect(try text(leaf).contains("Not Before: Mar 17 17:41:40 2030 GMT"))
        let long = try authority.issueClient(dnsName: "a", validity: .seconds(20 * 86_400))
        #expect(long.notAfter == authority.notAfter)
    }

    @Test func `no two certificates share a serial number, and each has about 128 bits`() throws {
        var seen = Set<String>()
        for index in 0..<32 {
            let issued = try authority.issueClient(dnsName: "host")
            let file = try directory.file("\(index).pem", issued.certificatePEM)
            let serial = try openssl("x509", "-noout", "-serial", "-in", file).output
            #expect(seen.insert(serial).inserted)
            #expect(serial.count > "serial=".count + 24)
        }
    }

    @Test func `an authority that was stored issues certificates that its old certificate verifies`() throws {
        let identity = try authority.identity()
        let again = try CertificateAuthority.load(certificatePEM: identity.certificatePEM, keyPEM: identity.keyPEM)
        #expect(try verify(try again.issueClient(dnsName: "a.example"), purpose: "sslclient") == 0)
    }

    @Test func `an authority is not loaded from a foreign key, a leaf, an expired certificate or nonsense`() throws {
        let own = try authority.identity()
        let other = try CertificateAuthority.create(commonName: "Other").identity()
        let leaf = try authority.issueServer(dnsNames: ["a"])
        let past = FixedClock(time: Timestamp(seconds: 1_000_000_000))
        let expired = try CertificateAuthority.create(commonName: "Past", validity: .seconds(60), clock: past)
            .identity()
        for (certificate, key, word) in [
            (own.certificatePEM, other.keyPEM, "does not belong"), (leaf.certificatePEM, leaf.keyPEM, "not a CA's"),
            (expired.certificatePEM, expired.keyPEM, "expired"), ("nonsense", own.keyPEM, "PEM certificate"),
            (own.certificatePEM, SecretBytes("nonsense"), "P-256"),
        ] {
            let error = #expect(throws: SecretError.self) {
                try CertificateAuthority.load(certificatePEM: certificate, keyPEM: key)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test(arguments: ["", "a b", "-a.example", "a..b", "a.example.", "ä.example", "*.com", "a/b", "*"])
    func `a malformed DNS name is refused`(name: String) {
        #expect(throws: SecretError.self) { try authority.issueServer(dnsNames: [name]) }
    }

    @Test(arguments: ["", "1.2.3", "1.2.3.4.5", "::g", "localhost", "[::1]"])
    func `a malformed address is refused`(address: String) {
        #expect(throws: SecretError.self) { try authority.issueServer(dnsNames: [], ipAddresses: [address]) }
    }

    @Test func `nothing is issued without a name, with a bad SPIFFE ID or with a senseless validity`() {
        #expect(throws: SecretError.self) { try authority.issueServer(dnsNames: []) }
        #expect(throws: SecretError.self) { try authority.issueClient() }
        #expect(throws: SecretError.self) { try authority.issueClient(spiffeID: "spiffe://Example.org/a") }
        #expect(throws: SecretError.self) { try authority.issueClient(dnsName: "a", validity: .zero) }
        #expect(throws: SecretError.self) { try authority.issueClient(dnsName: "a", validity: .seconds(Int64.max)) }
        #expect(throws: SecretError.self) { try CertificateAuthority.create(commonName: "") }
    }
}
