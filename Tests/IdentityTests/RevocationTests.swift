// Revocation lists are made by openssl, so that they are what a real CA publishes.

import Foundation
import PosternIdentity
import PosternPKI
import PosternProtocol
import Testing

@Suite struct RevocationTests {
    let directory: TemporaryDirectory
    let authority: OpenSSLAuthority
    let trusted: ClientAuthorities

    init() throws {
        directory = try TemporaryDirectory()
        authority = try OpenSSLAuthority(directory)
        trusted = try ClientAuthorities(file: authority.certificate, now: .now)
    }

    private func peer(_ name: String) throws -> (file: String, certificate: PeerCertificate) {
        let file = try authority.issue(name, alternativeNames: "URI:spiffe://example.org/\(name)")
        return (file, try PeerCertificate(der: try authority.der(file)))
    }

    private func load(
        _ file: String, allowExpired: Bool = false, now: Timestamp = .now
    ) throws(SecretError) -> [RevocationList] {
        try RevocationList.load(file: file, authorities: trusted, allowExpired: allowExpired, now: now)
    }

    @Test(arguments: ["PEM", "DER"])
    func `a revoked certificate is found and a good one is not`(form: String) throws {
        let bad = try peer("bad")
        let good = try peer("good")
        try authority.revoke(bad.file)
        let pem = try authority.makeList()
        let list = try directory.file("list." + form)
        try openssl("crl", "-in", pem, "-outform", form, "-out", list)
        let checker = RevocationChecker(lists: try load(list))
        #expect(checker.check(good.certificate) == nil)
        let reason = try #require(checker.check(bad.certificate))
        #expect(reason.description.contains("revoked by /CN=OpenSSL CA"))
        #expect(reason.description.contains(bad.certificate.serialHex))
        #expect(checker.lists.map(\.count) == [1])
        #expect(try #require(checker.nextUpdate) > .now)
    }

    @Test func `the same serial number from another CA is not revoked`() throws {
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let checker = RevocationChecker(lists: try load(try authority.makeList()))
        let other = try OpenSSLAuthority(TemporaryDirectory(), commonName: "Other CA")
        let twin = try PeerCertificate(
            der: try other.der(try other.issue("bad", alternativeNames: "URI:spiffe://example.org/bad")))
        #expect(twin.serial == bad.certificate.serial)
        #expect(checker.check(twin) == nil)
    }

    @Test func `a list of nobody revokes nobody`() throws {
        let checker = RevocationChecker(lists: try load(try authority.makeList()))
        #expect(checker.lists.map(\.count) == [0])
        #expect(checker.check(try peer("a").certificate) == nil)
    }

    @Test func `an overdue list is refused unless that is allowed, and then says so`() throws {
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let list = try authority.makeList()
        let later = Timestamp.now.advanced(by: .seconds(31 * 86_400))
        let error = #expect(throws: SecretError.self) { try load(list, now: later) }
        #expect(error?.message.contains("expired at") == true)
        let used = try load(list, allowExpired: true, now: later)
        #expect(used.allSatisfy { $0.isExpired(at: later) && !$0.isExpired(at: .now) })
        #expect(RevocationChecker(lists: used).check(bad.certificate) != nil)
    }

    @Test func `a list from the future is refused`() throws {
        let list = try authority.makeList()
        let error = #expect(throws: SecretError.self) {
            try load(list, allowExpired: true, now: Timestamp.now.advanced(by: .seconds(-3600)))
        }
        #expect(error?.message.contains("not valid before") == true)
    }

    @Test func `a list signed by an unknown CA, or by another key under the same name, is refused`() throws {
        let stranger = try OpenSSLAuthority(TemporaryDirectory(), commonName: "Stranger")
        let unknown = #expect(throws: SecretError.self) { try load(try stranger.makeList()) }
        #expect(unknown?.message.contains("not in the client CA file") == true)
        let impostor = try OpenSSLAuthority(TemporaryDirectory())
        let forged = #expect(throws: SecretError.self) { try load(try impostor.makeList()) }
        #expect(forged?.message.contains("not signed by that CA") == true)
    }

    @Test func `a CA that may not sign revocation lists is not believed`() throws {
        let weak = try OpenSSLAuthority(TemporaryDirectory(), keyUsage: "keyCertSign")
        let list = try weak.makeList()
        let authorities = try ClientAuthorities(file: weak.certificate, now: .now)
        #expect(throws: SecretError.self) {
            try RevocationList.load(file: list, authorities: authorities, now: .now)
        }
    }

    @Test(arguments: [
        ("2.5.29.27=critical,ASN1:INTEGER:1", "delta"),
        ("issuingDistributionPoint=critical,@point\n[point]\nindirectCRL=TRUE", "indirect"),
        ("1.2.3.4=critical,ASN1:NULL", "not understood"),
    ])
    func `a list that is not understood whole is refused`(extensions: String, word: String) throws {
        let list = try authority.makeList(extensions: extensions)
        let error = #expect(throws: SecretError.self) { try load(list) }
        #expect(error?.message.contains(word) == true, "\(String(describing: error))")
    }

    @Test func `a list for user certificates only is used`() throws {
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let list = try authority.makeList(
            extensions: "issuingDistributionPoint=critical,@point\n[point]\nonlyuser=TRUE")
        #expect(RevocationChecker(lists: try load(list)).check(bad.certificate) != nil)
    }

    @Test func `every changed byte of a list is noticed`() throws {
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let der = try directory.file("list.der")
        try openssl("crl", "-in", try authority.makeList(), "-outform", "DER", "-out", der)
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: der)))
        #expect(try load(der).count == 1)
        // Signatures are bit strings whose last bytes are ECDSA integers: no byte is without meaning.
        for index in good.indices {
            var changed = good
            changed[index] ^= 0x01
            try Data(changed).write(to: URL(fileURLWithPath: der))
            #expect(throws: SecretError.self, "byte \(index)") { try load(der) }
        }
        for extra in [good + [0], good.dropLast()] {
            try Data(extra).write(to: URL(fileURLWithPath: der))
            #expect(throws: SecretError.self) { try load(der) }
        }
    }

    @Test(arguments: ["", "nonsense", "-----BEGIN X509 CRL-----\n!!\n-----END X509 CRL-----\n"])
    func `a file that is no list is refused by name`(content: String) throws {
        let file = try directory.file("broken.pem", content)
        let error = #expect(throws: SecretError.self) { try load(file) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("broken.pem") == true)
    }

    @Test func `a file with a certificate instead of a list, or no file at all, is refused`() throws {
        #expect(throws: SecretError.self) { try load(authority.certificate) }
        let error = #expect(throws: SecretError.self) { try load(directory.path + "/missing.pem") }
        #expect(error?.message.contains("No such file") == true)
    }

    @Test func `a CRL-signing name in another string type still matches`() throws {
        // The list's issuer is encoded as the CA has it (UTF8String); the peer's issuer is rewritten as PrintableString.
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let checker = RevocationChecker(lists: try load(try authority.makeList()))
        var der = try authority.der(bad.file)
        let name = Array("OpenSSL CA".utf8)
        let start = try #require(der.indices.first { der[$0...].starts(with: [0x0C, UInt8(name.count)] + name) })
        der[start] = 0x13
        let rewritten = try PeerCertificate(der: der)
        #expect(rewritten.issuerDER != bad.certificate.issuerDER)
        #expect(checker.check(rewritten) != nil)
    }

    @Test func `deny list and revocation lists load together from files`() throws {
        let bad = try peer("bad")
        try authority.revoke(bad.file)
        let denied = try peer("denied")
        let deny = try directory.file("deny.txt", "\(denied.certificate.fingerprint)\n")
        let checker = try RevocationChecker(
            revocationFiles: [try authority.makeList()], denyFile: deny, authorities: trusted, now: .now)
        #expect(checker.check(bad.certificate) != nil)
        #expect(checker.check(denied.certificate) == .deniedFingerprint(denied.certificate.fingerprint))
        #expect(checker.check(try peer("good").certificate) == nil)
    }
}
