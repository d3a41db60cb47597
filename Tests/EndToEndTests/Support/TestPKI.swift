// Certificates for tests: the ordinary ones by Postern's own PKI, the odd ones and revocation lists by openssl.

import Foundation
import PosternPKI
import TestPrograms

/// An authority and what it issued, as files in one folder.
struct TestPKI: Sendable {
    let directory: URL
    private let authority: CertificateAuthority

    init(_ directory: URL, clients: [String]) throws {
        self.directory = directory
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        authority = try CertificateAuthority.create(commonName: "Test CA")
        try authority.identity().write(certificateFile: file("ca.pem"), keyFile: file("ca.key"))
        try issueServer("server")
        for client in clients { try issueClient(client) }
    }

    func file(_ name: String) -> String { directory.appending(path: name).path }

    func issueServer(_ name: String, replacing: Bool = false) throws {
        try authority.issueServer(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
            .write(certificateFile: file("\(name).pem"), keyFile: file("\(name).key"), replacing: replacing)
    }

    func issueClient(_ name: String) throws {
        try authority.issueClient(spiffeID: "spiffe://test.postern/\(name)")
            .write(certificateFile: file("\(name).pem"), keyFile: file("\(name).key"))
    }

    /// Issues a client certificate that Postern's PKI would not.
    /// - Parameters:
    ///   - alternativeNames: the extension's value, as in `URI:spiffe://a/b`; none if empty.
    ///   - from: when it starts to be valid, as openssl writes it.
    ///   - until: when it stops.
    func issueOdd(
        _ name: String, alternativeNames: String, from: String = "20240101000000Z", until: String = "20450101000000Z"
    ) async throws {
        try prepareDatabase()
        var extensions =
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
        if !alternativeNames.isEmpty { extensions += "subjectAltName=\(alternativeNames)\n" }
        try extensions.write(toFile: file("\(name).ext"), atomically: true, encoding: .utf8)
        try await openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key")
        try await openssl("req -new -key \(name).key -subj /CN=\(name) -out \(name).csr")
        try await openssl(
            "ca -batch -notext -config ca.cnf -in \(name).csr -out \(name).pem -extfile \(name).ext "
                + "-startdate \(from) -enddate \(until)")
    }

    /// Makes a revocation list in `ca.crl`.
    /// - Parameter names: certificates to revoke, besides those that are already.
    func revoke(_ names: [String]) async throws {
        try prepareDatabase()
        for name in names { try await openssl("ca -config ca.cnf -revoke \(name).pem") }
        try await openssl("ca -config ca.cnf -gencrl -out ca.crl")
    }

    /// The SHA-256 fingerprint of a certificate, in hex.
    func fingerprint(_ name: String) async throws -> String {
        let text = try await openssl("x509 -in \(name).pem -noout -fingerprint -sha256")
        let hex = text.split(separator: "=").last ?? ""
        return hex.filter { $0.isHexDigit }.lowercased()
    }

    @discardableResult
    private func openssl(_ arguments: String) async throws -> String {
        try await mustRun("openssl", arguments.split(separator: " ").map(String.init), in: directory).text
    }

    private func prepareDatabase() throws {
        guard !FileManager.default.fileExists(atPath: file("ca.cnf")) else { return }
        let configuration = """
            [ca]
            default_ca = here
            [here]
            dir = .
            database = index.txt
            rand_serial = yes
            crlnumber = crlnumber
            new_certs_dir = .
            certificate = ca.pem
            private_key = ca.key
            default_md = sha256
            default_crl_days = 2
            policy = names
            unique_subject = no
            crl_extensions = crl
            [names]
            commonName = supplied
            [crl]
            authorityKeyIdentifier = keyid

            """
        for (name, text) in [("ca.cnf", configuration), ("index.txt", ""), ("crlnumber", "1000\n")] {
            try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        }
    }
}
