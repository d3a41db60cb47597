// A server's private key that is not in this process.

public import NIOSSL
public import PosternProtocol

/// A private key that signs TLS handshakes from where it is, as in an HSM.
public protocol RemotePrivateKey: Sendable {
    /// Which key this is, for messages.
    var name: String { get }

    /// The public half, as a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    func publicKey(deadline: Deadline) async throws(SecretError) -> [UInt8]

    /// Signs what TLS asks for (RFC 8446 §4.4.3, RFC 5246 §7.4.3).
    /// - Parameters:
    ///   - message: what to sign, not hashed yet.
    ///   - algorithm: one that belongs to the kind of the key.
    ///   - deadline: when the handshake stops waiting.
    /// - Returns: the signature; of ECDSA in DER.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    func sign(
        _ message: [UInt8], _ algorithm: SignatureAlgorithm, deadline: Deadline
    ) async throws(SecretError) -> [UInt8]
}
