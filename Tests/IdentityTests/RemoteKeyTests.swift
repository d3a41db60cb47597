// Real handshakes with a key that is elsewhere: here, in a stand-in for an HSM that fails and hangs as told.

import Crypto
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import PosternIdentity
import PosternPKI
import PosternProtocol
import Synchronization
import Testing

/// A key that can be away, be replaced by another, or take until its caller's deadline.
private final class DistantKey: RemotePrivateKey {
    enum Mood: Sendable { case fine, away, silent }

    let name = "distant:key"
    let key: Mutex<P256.Signing.PrivateKey>
    let mood = Mutex(Mood.fine)
    let signatures = Mutex(0)

    init(_ key: P256.Signing.PrivateKey) { self.key = Mutex(key) }

    func publicKey(deadline: Deadline) async throws(SecretError) -> [UInt8] {
        try await answer(deadline)
        return key.withLock { Array($0.publicKey.derRepresentation) }
    }

    func sign(
        _ message: [UInt8], _ algorithm: SignatureAlgorithm, deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try await answer(deadline)
        #expect(algorithm == .ecdsaSecp256R1Sha256)
        do {
            let signature = try key.withLock { try $0.signature(for: message) }
            signatures.withLock { $0 += 1 }
            return Array(signature.derRepresentation)
        } catch {
            throw SecretError(.keyUnavailable, "\(error)")
        }
    }

    private func answer(_ deadline: Deadline) async throws(SecretError) {
        switch mood.withLock({ $0 }) {
        case .fine: return
        case .away: throw SecretError(.keyUnavailable, "It is away.")
        case .silent:
            // Cancelled is as good as late here.
            try? await Task.sleep(until: deadline.instant, clock: .continuous)
            throw SecretError(.deadlineExceeded, "It does not answer.")
        }
    }
}

/// Hangs up on who does not get through the handshake.
private final class Closer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@Suite(.timeLimit(.minutes(5))) struct `A server's key elsewhere` {
    private let directory: TemporaryDirectory
    private let authority: CertificateAuthority
    private let key: DistantKey

    init() throws {
        directory = try TemporaryDirectory()
        authority = try CertificateAuthority.create(commonName: "Test CA")
        try directory.file("ca.pem", try authority.identity().certificatePEM)
        key = DistantKey(try Self.certify(by: authority, in: directory))
    }

    /// Writes a certificate to `server.pem`, and keeps its key.
    @discardableResult
    private static func certify(
        by authority: CertificateAuthority, in directory: TemporaryDirectory
    ) throws -> P256.Signing.PrivateKey {
        let issued = try authority.issueServer(dnsNames: ["localhost"])
        try directory.file("server.pem", issued.certificatePEM)
        return try P256.Signing.PrivateKey(
            pemRepresentation: issued.keyPEM.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }

    private func load(patience: Duration = .seconds(120)) throws -> ReloadingTLSContext {
        try ReloadingTLSContext(
            files: TLSFiles(
                certificate: directory.path + "/server.pem", key: .remote(key), clientAuthorities: nil,
                applicationProtocols: ["h2"], signaturePatience: patience))
    }

    /// What openssl's client makes of a handshake, on one event loop.
    private func handshake(_ tls: ReloadingTLSContext) async throws -> Bool {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current))
                    try channel.pipeline.syncOperations.addHandler(Closer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "s_client", "-connect", "127.0.0.1:\(try #require(server.localAddress?.port))", "-CAfile",
            directory.path + "/ca.pem", "-verify_return_error", "-alpn", "h2",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        // Not waited for on a thread that the key's task may need.
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do {
                try process.run()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        try await server.close()
        try await group.shutdownGracefully()
        return process.terminationStatus == 0
    }

    @Test func `signs handshakes, and belongs to its certificate`() async throws {
        let tls = try load()
        try await tls.proveKey(deadline: .after(.seconds(120)))
        #expect(try await handshake(tls))
        #expect(key.signatures.withLock { $0 } == 1)
    }

    @Test func `of another certificate is told when it is asked, at start or at the first handshake`() async throws {
        key.mood.withLock { $0 = .away }
        let tls = try load()
        let away = await #expect(throws: SecretError.self) { try await tls.proveKey(deadline: .after(.seconds(120))) }
        #expect(away?.code == .keyUnavailable)
        key.key.withLock { $0 = P256.Signing.PrivateKey() }
        key.mood.withLock { $0 = .fine }
        #expect(try await !handshake(tls))
        #expect(key.signatures.withLock { $0 } == 0, "nothing is signed for a certificate that it does not belong to")
        let wrong = await #expect(throws: SecretError.self) { try await tls.proveKey(deadline: .after(.seconds(120))) }
        #expect(wrong?.code == .invalidArgument)
        #expect(wrong?.message.contains("distant:key does not belong to") == true)
    }

    @Test func `that is away or silent fails handshakes in time, and those after it is back succeed`() async throws {
        let tls = try load(patience: .milliseconds(300))
        try await tls.proveKey(deadline: .after(.seconds(120)))
        for mood in [DistantKey.Mood.away, .silent] {
            key.mood.withLock { $0 = mood }
            #expect(try await !handshake(tls))
        }
        key.mood.withLock { $0 = .fine }
        #expect(try await handshake(load()))
    }

    @Test func `need not be there when its certificate is renewed, but when another comes`() async throws {
        let tls = try load()
        try await tls.proveKey(deadline: .after(.seconds(120)))
        let first = tls.certificateFingerprint
        key.mood.withLock { $0 = .away }
        try await tls.reload(deadline: .after(.seconds(120)))
        #expect(tls.certificateFingerprint == first)

        let next = try Self.certify(by: authority, in: directory)
        let away = await #expect(throws: SecretError.self) { try await tls.reload(deadline: .after(.seconds(120))) }
        #expect(away?.code == .keyUnavailable)
        key.mood.withLock { $0 = .fine }
        let wrong = await #expect(throws: SecretError.self) { try await tls.reload(deadline: .after(.seconds(120))) }
        #expect(wrong?.code == .invalidArgument)
        #expect(tls.certificateFingerprint == first)
        #expect(try await handshake(tls))
        key.key.withLock { $0 = next }
        try await tls.reload(deadline: .after(.seconds(120)))
        #expect(tls.certificateFingerprint != first)
        #expect(try await handshake(tls))
    }

    @Test func `that was never there is not taken on trust`() async throws {
        key.mood.withLock { $0 = .away }
        let tls = try load()
        let error = await #expect(throws: SecretError.self) { try await tls.reload(deadline: .after(.seconds(120))) }
        #expect(error?.code == .keyUnavailable)
    }
}
