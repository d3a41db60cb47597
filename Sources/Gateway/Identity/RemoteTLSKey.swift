// A remote private key as the TLS library wants it: asked from an event loop, which it never blocks.

import Crypto
import CryptoExtras
import NIOCore
import NIOSSL
import PosternProtocol
import SwiftASN1
import Synchronization
import X509

/// The private key of one certificate, elsewhere.
final class RemoteTLSKey: NIOSSLCustomPrivateKey, Sendable {
    private let key: any RemotePrivateKey
    private let patience: Duration
    private let certificate: String
    /// The public key in the certificate.
    let publicKey: Certificate.PublicKey
    let signatureAlgorithms: [SignatureAlgorithm]
    private let proven = Mutex(false)

    /// - Parameters:
    ///   - key: the key.
    ///   - certificate: the certificate that it should belong to.
    ///   - file: where that is, for messages.
    ///   - patience: how long a handshake waits for a signature.
    init(
        _ key: any RemotePrivateKey, of certificate: Certificate, file: String, patience: Duration
    ) throws(SecretError) {
        let publicKey = certificate.publicKey
        if P256.Signing.PublicKey(publicKey) != nil {
            signatureAlgorithms = [.ecdsaSecp256R1Sha256]
        } else if P384.Signing.PublicKey(publicKey) != nil {
            signatureAlgorithms = [.ecdsaSecp384R1Sha384]
        } else if P521.Signing.PublicKey(publicKey) != nil {
            signatureAlgorithms = [.ecdsaSecp521R1Sha512]
        } else if _RSA.Signing.PublicKey(publicKey) != nil {
            // The last three are for TLS 1.2.
            signatureAlgorithms = [
                .rsaPssRsaeSha256, .rsaPssRsaeSha384, .rsaPssRsaeSha512, .rsaPkcs1Sha256, .rsaPkcs1Sha384,
                .rsaPkcs1Sha512,
            ]
        } else {
            throw SecretError(
                .invalidArgument,
                "Server certificate \(file) is for a kind of key that \(key.name) cannot be: use ECDSA (P-256, P-384, "
                    + "P-521) or RSA.")
        }
        self.key = key
        self.patience = patience
        self.certificate = file
        self.publicKey = publicKey
    }

    /// Whether the key was seen to belong to the certificate.
    var isProven: Bool { proven.withLock { $0 } }

    /// Takes it as proven, since another certificate with the same public key was.
    func trust() { proven.withLock { $0 = true } }

    /// Asks the key whether it belongs to the certificate.
    /// - Throws: `invalid_argument` if it does not; what the key answers.
    func prove(deadline: Deadline) async throws(SecretError) {
        let found = try await key.publicKey(deadline: deadline)
        // What does not parse is no key of the certificate either.
        guard let found = try? Certificate.PublicKey(derEncoded: found), found == publicKey else {
            throw SecretError(
                .invalidArgument,
                "Server key \(key.name) does not belong to the first certificate in \(certificate).")
        }
        trust()
    }

    func sign(
        channel: any Channel, algorithm: SignatureAlgorithm, data: ByteBuffer
    ) -> EventLoopFuture<ByteBuffer> {
        let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
        let deadline = Deadline.after(patience)
        let message = Array(data.readableBytesView)
        let task = promise.completeWithTask { [self] in
            // The key may have been away when the certificate was loaded.
            if !isProven { try await prove(deadline: deadline) }
            return ByteBuffer(bytes: try await key.sign(message, algorithm, deadline: deadline))
        }
        // Nobody waits for a signature once the connection is gone.
        channel.closeFuture.whenComplete { _ in task.cancel() }
        return promise.futureResult
    }

    func decrypt(channel: any Channel, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
        // Only for the exchange of keys by RSA in TLS 1.2, which has no forward secrecy: a client that can do nothing
        // else does not get through.
        channel.eventLoop.makeFailedFuture(
            SecretError(.invalidArgument, "The key of this server signs and does not decrypt."))
    }
}

extension RemoteTLSKey: Hashable {
    static func == (a: RemoteTLSKey, b: RemoteTLSKey) -> Bool { a === b }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
