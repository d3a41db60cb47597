// Real handshakes: our context on one side, openssl's client on the other.

import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import PosternIdentity
import PosternPKI
import PosternProtocol
import Testing

/// Greets whoever gets through the handshake with the protocol agreed on, then hangs up.
private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event {
            let names = (try? context.channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self))?
                .peerCertificate.flatMap { try? PeerCertificate(der: $0.toDERBytes()).spiffeID }
            let text = "hello \(names ?? "nobody") by \(negotiated ?? "no protocol")\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

@Suite struct TLSTests {
    let directory: TemporaryDirectory
    let authority: CertificateAuthority
    let root: String

    init() throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority.create(commonName: "Test CA")
        root = try directory.file("ca.pem", try authority.identity().certificatePEM)
        try write(try authority.issueServer(dnsNames: ["localhost"]), "server")
        try write(try authority.issueClient(spiffeID: "spiffe://example.org/billing"), "client")
    }

    private func write(_ issued: IssuedCertificate, _ name: String, replacing: Bool = false) throws {
        try issued.write(
            certificateFile: directory.path + "/\(name).pem", keyFile: directory.path + "/\(name).key",
            replacing: replacing)
    }

    private var keyFile: String { directory.path + "/server.key" }

    private func files(
        clientAuthorities: String? = "ca.pem", minimumVersion: TLSFiles.MinimumVersion = .v1_3
    ) -> TLSFiles {
        TLSFiles(
            certificate: directory.path + "/server.pem", key: .file(keyFile),
            clientAuthorities: clientAuthorities.map { directory.path + "/" + $0 }, minimumVersion: minimumVersion,
            applicationProtocols: ["h2"])
    }

    /// Serves with a context while `body` runs, and gives it the port.
    private func serve(_ tls: ReloadingTLSContext, _ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current))
                    try channel.pipeline.syncOperations.addHandler(Greeter())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(try #require(server.localAddress?.port))
        } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    /// What openssl's client hears, with its own complaints.
    private func connect(_ port: Int, certificate: String? = "client", _ extra: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        var arguments = ["s_client", "-quiet", "-connect", "127.0.0.1:\(port)", "-CAfile", root, "-alpn", "h2"]
        if let certificate {
            arguments += [
                "-cert", directory.path + "/\(certificate).pem", "-key", directory.path + "/\(certificate).key",
            ]
        }
        process.arguments = arguments + extra
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return output
    }

    private func refusal(_ files: TLSFiles, clock: any WallClock = SystemWallClock()) -> String? {
        do {
            _ = try ReloadingTLSContext(files: files, clock: clock)
            return nil
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    @Test func `a client with a certificate of the CA gets through, with its identity and the protocol agreed`()
        async throws
    {
        try await serve(try ReloadingTLSContext(files: files())) { (port: Int) throws in
            let heard = try connect(port, "-servername", "localhost", "-verify_hostname", "localhost")
            #expect(heard.contains("hello spiffe://example.org/billing by h2"), "\(heard)")
        }
    }

    @Test func `no certificate, a stranger's certificate or a server's certificate does not get through`() async throws
    {
        let stranger = try CertificateAuthority.create(commonName: "Test CA")
        try write(try stranger.issueClient(spiffeID: "spiffe://example.org/billing"), "stranger")
        let past = FixedClock(time: Timestamp.now.advanced(by: .seconds(-7200)))
        let identity = try authority.identity()
        let old = try CertificateAuthority.load(
            certificatePEM: identity.certificatePEM, keyPEM: identity.keyPEM, clock: past)
        try write(try old.issueClient(spiffeID: "spiffe://example.org/billing", validity: .seconds(60)), "expired")
        try await serve(try ReloadingTLSContext(files: files())) { (port: Int) throws in
            for certificate in [nil, "stranger", "server", "expired"] as [String?] {
                let heard = try connect(port, certificate: certificate)
                #expect(!heard.contains("hello"), "\(certificate ?? "none"): \(heard)")
            }
        }
    }

    @Test func `older TLS than the configured minimum is refused`() async throws {
        try await serve(try ReloadingTLSContext(files: files())) { (port: Int) throws in
            #expect(!(try connect(port, "-tls1_2").contains("hello")))
            #expect(try connect(port, "-tls1_3").contains("hello"))
        }
        try await serve(try ReloadingTLSContext(files: files(minimumVersion: .v1_2))) { (port: Int) throws in
            #expect(try connect(port, "-tls1_2").contains("hello"))
            #expect(try connect(port, "-tls1_3").contains("hello"))
            #expect(!(try connect(port, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0").contains("hello")))
        }
    }

    @Test func `without client CAs no certificate is asked for`() async throws {
        let tls = try ReloadingTLSContext(files: files(clientAuthorities: nil))
        #expect(tls.clientAuthorities == nil)
        try await serve(tls) { (port: Int) throws in
            #expect(try connect(port, certificate: nil).contains("hello nobody by h2"))
        }
    }

    @Test func `a reload changes what new connections see, and a bad file changes nothing`() async throws {
        let tls = try ReloadingTLSContext(files: files())
        let first = tls.certificateFingerprint
        let next = try CertificateAuthority.create(commonName: "Next CA")
        try await serve(tls) { (port: Int) async throws in
            // The key of one certificate with the other certificate: caught before anything is swapped.
            try write(try authority.issueServer(dnsNames: ["localhost"]), "other")
            let good = try String(contentsOfFile: files().certificate, encoding: .utf8)
            try String(contentsOfFile: directory.path + "/other.pem", encoding: .utf8)
                .write(toFile: files().certificate, atomically: true, encoding: .utf8)
            let error = await #expect(throws: SecretError.self) { try await tls.reload() }
            #expect(error?.message.contains("does not belong") == true)
            #expect(tls.certificateFingerprint == first)
            #expect(try connect(port).contains("hello"))

            try good.write(toFile: files().certificate, atomically: true, encoding: .utf8)
            try directory.file("ca.pem", try next.identity().certificatePEM)
            let issued = try next.issueServer(dnsNames: ["localhost"], validity: .seconds(3600))
            try write(issued, "server", replacing: true)
            try await tls.reload()
            #expect(tls.certificateFingerprint != first)
            #expect(tls.certificateNotAfter == issued.notAfter)
            #expect(!(try connect(port).contains("hello")), "the old CA is no longer trusted")
            try write(try next.issueClient(spiffeID: "spiffe://example.org/new"), "new")
            #expect(try connect(port, certificate: "new").contains("hello spiffe://example.org/new"))
        }
    }

    @Test(arguments: [0o644, 0o660, 0o604, 0o641, 0o700, 0o4600])
    func `a key file more open than 0640 is refused with the command that closes it`(mode: Int) throws {
        chmod(keyFile, mode_t(mode))
        #expect(refusal(files())?.contains("chmod 600 \(keyFile)") == true)
    }

    @Test(arguments: [0o600, 0o640, 0o400, 0o440])
    func `a key file that its owner or group reads is taken`(mode: Int) throws {
        chmod(keyFile, mode_t(mode))
        #expect(refusal(files()) == nil)
    }

    @Test func `expired and not yet valid server certificates are refused`() throws {
        let tls = try ReloadingTLSContext(files: files())
        let after = FixedClock(time: tls.certificateNotAfter.advanced(by: .seconds(1)))
        #expect(refusal(files(clientAuthorities: nil), clock: after)?.contains("expired") == true)
        let before = FixedClock(time: Timestamp.now.advanced(by: .seconds(-3600)))
        #expect(refusal(files(clientAuthorities: nil), clock: before)?.contains("not valid before") == true)
    }

    @Test func `client CA files without a CA in them are refused`() throws {
        try directory.file("empty.pem", "")
        #expect(refusal(files(clientAuthorities: "empty.pem"))?.contains("no PEM certificate") == true)
        #expect(refusal(files(clientAuthorities: "client.pem"))?.contains("not a CA's") == true)
        #expect(refusal(files(clientAuthorities: "missing.pem"))?.contains("No such file") == true)
        let past = FixedClock(time: Timestamp(seconds: 1_000_000_000))
        let old = try CertificateAuthority.create(commonName: "Old", validity: .seconds(60), clock: past)
        try directory.file("old.pem", try old.identity().certificatePEM)
        #expect(refusal(files(clientAuthorities: "old.pem"))?.contains("has expired") == true)
    }

    @Test func `a key that is encrypted or no key is refused, not asked about on the terminal`() throws {
        let key = keyFile
        for arguments in [["pkcs8", "-topk8", "-v2", "aes256"], ["ec", "-aes256"]] {
            let encrypted = directory.path + "/encrypted.key"
            let source = directory.path + "/client.key"
            let all = arguments + ["-in", source, "-out", encrypted, "-passout", "pass:x"]
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = all
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            try FileManager.default.removeItem(atPath: key)
            try FileManager.default.moveItem(atPath: encrypted, toPath: key)
            chmod(key, 0o600)
            #expect(refusal(files())?.contains("without a passphrase") == true)
        }
        try directory.file("server.key", "nonsense")
        chmod(key, 0o600)
        #expect(refusal(files())?.contains("not a private key") == true)
    }

    @Test(arguments: ["EC", "RSA"])
    func `keys made by openssl work in every usual form`(kind: String) async throws {
        let other = try OpenSSLAuthority(TemporaryDirectory())
        let name = other.directory.path
        switch kind {
        case "EC":
            // With the parameters in front of the key, as `openssl ecparam -genkey` writes it.
            try openssl("ecparam", "-name", "secp384r1", "-genkey", "-out", name + "/s.key")
        default: try openssl("genrsa", "-traditional", "-out", name + "/s.key", "2048")
        }
        chmod(name + "/s.key", 0o600)
        try openssl("req", "-new", "-key", name + "/s.key", "-subj", "/CN=localhost", "-out", name + "/s.csr")
        try openssl(
            "ca", "-batch", "-notext", "-config", name + "/ca.cnf", "-in", name + "/s.csr", "-out", name + "/s.pem")
        let tls = try ReloadingTLSContext(
            files: TLSFiles(
                certificate: name + "/s.pem", key: .file(name + "/s.key"), clientAuthorities: root,
                applicationProtocols: ["h2"]))
        try await serve(tls) { (port: Int) throws in
            #expect(try connect(port).contains("hello spiffe://example.org/billing by h2"))
        }
    }
}
