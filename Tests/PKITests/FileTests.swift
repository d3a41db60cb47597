import Foundation
import PosternPKI
import PosternProtocol
import Testing

@Suite struct FileTests {
    let directory: TemporaryDirectory
    let authority: CertificateAuthority
    let certificateFile: String
    let keyFile: String

    init() throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority.create(commonName: "Test CA")
        certificateFile = try directory.file("a.pem")
        keyFile = try directory.file("a.key")
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func content(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test func `the key is readable by its owner only, the certificate by all, and they belong together`() throws {
        let issued = try authority.issueClient(dnsName: "a")
        try issued.write(certificateFile: certificateFile, keyFile: keyFile)
        #expect(try mode(keyFile) == 0o600)
        #expect(try mode(certificateFile) == 0o644)
        #expect(try content(keyFile) == issued.keyPEM.text)
        let fromCertificate = try openssl("x509", "-pubkey", "-noout", "-in", certificateFile).output
        let fromKey = try openssl("pkey", "-pubout", "-in", keyFile).output
        #expect(fromCertificate == fromKey)
    }

    @Test(arguments: ["a.pem", "a.key"])
    func `a file that is there already is left alone and nothing else is written`(taken: String) throws {
        let path = try directory.file(taken, "mine")
        let error = #expect(throws: SecretError.self) {
            try authority.issueClient(dnsName: "a").write(certificateFile: certificateFile, keyFile: keyFile)
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains(path) == true)
        #expect(try content(path) == "mine")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [taken])
    }

    @Test func `a dangling link is not followed`() throws {
        let elsewhere = try directory.file("elsewhere")
        try FileManager.default.createSymbolicLink(atPath: keyFile, withDestinationPath: elsewhere)
        #expect(throws: SecretError.self) {
            try authority.issueClient(dnsName: "a").write(certificateFile: certificateFile, keyFile: keyFile)
        }
        #expect(!FileManager.default.fileExists(atPath: elsewhere))
    }

    @Test func `replacing swaps both files and leaves nothing behind`() throws {
        try authority.issueClient(dnsName: "a").write(certificateFile: certificateFile, keyFile: keyFile)
        let second = try authority.issueClient(dnsName: "a")
        try second.write(certificateFile: certificateFile, keyFile: keyFile, replacing: true)
        #expect(try content(certificateFile) == second.certificatePEM)
        #expect(try content(keyFile) == second.keyPEM.text)
        #expect(try mode(keyFile) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["a.key", "a.pem"])
    }

    @Test func `a key is not left behind when its certificate cannot be written`() throws {
        #expect(throws: SecretError.self) {
            try authority.issueClient(dnsName: "a").write(
                certificateFile: directory.path + "/missing/a.pem", keyFile: keyFile)
        }
        #expect(!FileManager.default.fileExists(atPath: keyFile))
    }
}
