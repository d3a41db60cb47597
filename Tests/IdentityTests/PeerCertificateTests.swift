import Foundation
import PosternIdentity
import PosternPKI
import PosternProtocol
import Testing

@Suite struct PeerCertificateTests {
    @Test func `a certificate's names, serial, fingerprint and expiry are read as openssl reads them`() throws {
        let directory = try TemporaryDirectory()
        let authority = try CertificateAuthority.create(commonName: "Test CA")
        let issued = try authority.issueClient(spiffeID: "spiffe://example.org/billing", dnsName: "Billing.Example.org")
        let peer = try PeerCertificate(der: issued.certificateDER)
        let file = try directory.file("a.pem", issued.certificatePEM)
        #expect(peer.spiffeID == "spiffe://example.org/billing")
        #expect(peer.dnsNames == ["billing.example.org"])
        #expect(peer.commonName == "billing")
        #expect(peer.notAfter == issued.notAfter)
        let fingerprint = try openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", file)
        #expect(fingerprint.contains("="))
        #expect(
            peer.fingerprint
                == fingerprint.split(separator: "=")[1].replacing(":", with: "").lowercased().trimmingCharacters(
                    in: .whitespacesAndNewlines))
        let serial = try openssl("x509", "-noout", "-serial", "-in", file)
        #expect(serial == "serial=\(peer.serialHex)\n")
        #expect(!peer.hasExpired(at: peer.notAfter))
        #expect(peer.hasExpired(at: peer.notAfter.advanced(by: .seconds(1))))
    }

    @Test func `upper-case DNS names are lower-cased and repeated ones kept once`() throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        let file = try authority.issue("a", alternativeNames: "DNS:A.Example,DNS:b.example,DNS:a.example")
        #expect(try PeerCertificate(der: try authority.der(file)).dnsNames == ["a.example", "b.example"])
    }

    @Test func `a certificate with several URI names is refused, even if one is a good SPIFFE ID`() throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        let file = try authority.issue(
            "a", alternativeNames: "URI:spiffe://example.org/a,URI:https://example.org/,DNS:a.example")
        let der = try authority.der(file)
        let error = #expect(throws: SecretError.self) { try PeerCertificate(der: der) }
        #expect(error?.code == .unauthenticated)
        #expect(error?.message.contains("2 URI names") == true)
    }

    @Test(arguments: [
        "spiffe://Example.org/a", "spiffe://example.org/a/../b", "spiffe://", "SPIFFE://example.org/a",
    ])
    func `a malformed SPIFFE ID is refused rather than passed over for a DNS name`(uri: String) throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        let der = try authority.der(try authority.issue("a", alternativeNames: "URI:\(uri),DNS:a.example"))
        let error = #expect(throws: SecretError.self) { try PeerCertificate(der: der) }
        #expect(error?.code == .unauthenticated)
    }

    @Test func `a certificate with a common name alone is not named, and says its common name`() throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        let certificate = try PeerCertificate(
            der: try authority.der(try authority.issue("legacy", alternativeNames: nil)))
        #expect(!certificate.isNamed)
        #expect(certificate.commonName == "legacy")
        #expect(certificate.spiffeID == nil && certificate.dnsNames.isEmpty)
    }

    @Test func `a certificate with other kinds of names only is not named`() throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        let der = try authority.der(
            try authority.issue("a", alternativeNames: "email:a@example.org,IP:127.0.0.1,URI:https://example.org"))
        #expect(try !PeerCertificate(der: der).isNamed)
    }

    @Test func `a negative serial number is refused, for it could not be revoked reliably`() throws {
        let authority = try OpenSSLAuthority(TemporaryDirectory())
        var der = try authority.der(try authority.issue("a", alternativeNames: "DNS:a.example"))
        #expect(try PeerCertificate(der: der).serialHex == "1000")
        let serial = try #require(der.indices.first { der[$0...].starts(with: [0x02, 0x02, 0x10, 0x00]) })
        der[serial + 2] = 0x90
        let error = #expect(throws: SecretError.self) { try PeerCertificate(der: der) }
        #expect(error?.code == .unauthenticated)
    }

    @Test func `no truncation or single changed byte of a certificate crashes the reader`() throws {
        let authority = try CertificateAuthority.create(commonName: "Test CA")
        let der = try authority.issueClient(spiffeID: "spiffe://example.org/a").certificateDER
        for length in 0..<der.count {
            #expect(throws: SecretError.self) { try PeerCertificate(der: Array(der.prefix(length))) }
        }
        for index in der.indices {
            for value in [0, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bad = der
                bad[index] = value
                do {
                    _ = try PeerCertificate(der: bad)
                } catch {
                    #expect(error.code == .unauthenticated)
                }
            }
        }
    }
}
