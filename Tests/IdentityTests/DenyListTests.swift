import PosternIdentity
import PosternPKI
import PosternProtocol
import Testing

@Suite struct DenyListTests {
    let peer: PeerCertificate

    init() throws {
        let authority = try CertificateAuthority.create(commonName: "Test CA")
        peer = try PeerCertificate(
            der: try authority.issueClient(spiffeID: "spiffe://example.org/a").certificateDER)
    }

    private func check(_ text: String) throws -> Revocation? {
        RevocationChecker(denyList: try DenyList(text: text, name: "deny.txt")).check(peer)
    }

    @Test func `a fingerprint, a serial number or a SPIFFE ID on the list is refused, however it is written`() throws {
        let print = peer.fingerprint
        #expect(try check(print) == .deniedFingerprint(print))
        #expect(try check(print.uppercased()) == .deniedFingerprint(print))
        let colons = stride(from: 0, to: 64, by: 2).map { String(print.dropFirst($0).prefix(2)) }.joined(separator: ":")
        #expect(try check("# stolen laptop\n  \(colons) # 2026-11-24\n") == .deniedFingerprint(print))
        #expect(try check("00" + peer.serialHex.lowercased()) == .deniedSerial(peer.serialHex))
        #expect(try check("spiffe://example.org/a\r\n") == .deniedSPIFFEID("spiffe://example.org/a"))
    }

    @Test func `others are not refused`() throws {
        #expect(try check("") == nil)
        #expect(try check("# nothing\n\n") == nil)
        #expect(try check("F01\nspiffe://example.org/b\n" + String(repeating: "0", count: 64)) == nil)
    }

    @Test func `every line that is not understood is named`() {
        let error = #expect(throws: SecretError.self) {
            try check("ok\n\nspiffe://Example.org/a\n12\n" + String(repeating: "a", count: 42))
        }
        #expect(error?.code == .invalidArgument)
        for line in ["deny.txt", "line 1:", "line 3:", "line 5:"] {
            #expect(error?.message.contains(line) == true, "\(line)")
        }
        #expect(error?.message.contains("line 4:") == false)
    }
}
