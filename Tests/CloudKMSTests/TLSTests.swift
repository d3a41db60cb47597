// Connections to services: whose certificates are trusted.

import CloudServers
import NIOSSL
import PosternPKI
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `Connections to services` {
    private let folder: TemporaryFolder
    private let authority: CertificateAuthority

    init() throws {
        folder = try TemporaryFolder()
        authority = try CertificateAuthority.create(commonName: "Test CA")
        try authority.identity().write(certificateFile: folder.path("ca.pem"), keyFile: folder.path("ca.key"))
    }

    /// A server that says that a key is disabled, which is an answer all the same.
    private func server(for name: String) async throws -> LoopbackHTTPServer {
        let (certificate, key) = (folder.path("server.pem"), folder.path("server.key"))
        try authority.issueServer(dnsNames: ["kms.test"], ipAddresses: [name])
            .write(certificateFile: certificate, keyFile: key)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
        return try await LoopbackHTTPServer(tls: context) { _ in .json(400, #"{"__type":"DisabledException"}"#) }
    }

    private func ask(_ server: LoopbackHTTPServer, _ environment: [String: String] = [:]) async throws {
        let wrapper = try AWSKMSKeyWrapper.test(
            anyKey, keys(server.url).merging(environment) { $1 }, attempts: .brief)
        _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
    }

    @Test func `an authority that AWS_CA_BUNDLE names is trusted, and without it nobody unknown is`() async throws {
        let server = try await server(for: "127.0.0.1")
        await expectError(.keyUnavailable, containing: ["TLS"]) { try await ask(server) }
        #expect(server.requests.isEmpty)
        await expectError(.keyUnavailable, containing: ["enable it"]) {
            try await ask(server, ["AWS_CA_BUNDLE": folder.path("ca.pem")])
        }
        #expect(server.requests.count == 1)
        await expectError(.invalidArgument, containing: [folder.path("none.pem")]) {
            try await ask(server, ["AWS_CA_BUNDLE": folder.path("none.pem")])
        }
        try await server.stop()
    }

    @Test func `a certificate for another name is refused`() async throws {
        let server = try await server(for: "127.0.0.2")
        await expectError(.keyUnavailable, containing: ["not for this name"]) {
            try await ask(server, ["AWS_CA_BUNDLE": folder.path("ca.pem")])
        }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }
}
