// A private key on a token that signs, as for the gateway's own TLS certificate.

import CP11Kit
import CryptoExtras
import FoundationEssentials
public import PosternProtocol

/// A private key on a token, for signatures.
public final class PKCS11SigningKey: Sendable {
    private let token: PKCS11Token
    private let key: PKCS11URI

    /// Names a key, without contact to the token.
    /// - Parameters:
    ///   - token: where the key is.
    ///   - key: the key's `object` or `id` or both.
    /// - Throws: `invalid_argument` if the key is not named, or is not a private one.
    public init(token: PKCS11Token, key: PKCS11URI) throws(SecretError) {
        guard key.object != nil || key.id != nil, key.type == nil || key.type == .privateKey else {
            throw SecretError(.invalidArgument, "\(key) does not name a private key: add `object=` or `id=`.")
        }
        self.token = token
        self.key = key
    }

    private var query: KeyQuery { KeyQuery(label: key.object, id: key.id, keyClass: .private) }

    /// Signs a message.
    /// - Returns: the signature as X.509 and TLS want it.
    /// - Throws: `key_unavailable` if the key is not there, or cannot make such a signature; `deadline_exceeded`,
    ///   `cancelled`.
    public func sign(
        _ message: [UInt8], _ algorithm: PKCS11SignatureAlgorithm, deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        let (mechanism, input) = algorithm.prepare(message)
        return try await token.perform("signing with \(key)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            let handle = try connection.key(query, session)
            if case .ecdsa = algorithm {
                let curve = try curve(of: handle, session)
                let raw = try tokenCall { () throws(PKCS11Error) in
                    try session.sign(input, key: handle, mechanism, capacity: 2 * curve.fieldBytes)
                }
                return try usable { try curve.derSignature(raw) }
            }
            return try tokenCall { () throws(PKCS11Error) in
                // Room for RSA with 16384 bits.
                try session.sign(input, key: handle, mechanism, capacity: 2_048)
            }
        }
    }

    /// The public half, as a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). Of an EC key it is read from the public key
    /// of the same label and id.
    /// - Throws: `key_unavailable` if it is not there or of an unknown kind; `deadline_exceeded`, `cancelled`.
    public func publicKey(deadline: Deadline) async throws(SecretError) -> [UInt8] {
        try await token.perform("reading the public half of \(key)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            let handle = try connection.key(query, session)
            let type = try tokenCall { () throws(PKCS11Error) in
                try session.number(UInt(CKA_KEY_TYPE), of: handle)
            }
            if type == CKK_RSA {
                let half = try RSAPublicHalf(of: query, connection, session)
                return try usable {
                    try Array(_RSA.Signing.PublicKey(n: half.modulus, e: half.exponent).derRepresentation)
                }
            }
            let curve = try curve(of: handle, session)
            var half = query
            half.keyClass = .public
            let publicHandle = try connection.key(half, session)
            let point = try tokenCall { () throws(PKCS11Error) in
                try session.attribute(UInt(CKA_EC_POINT), of: publicHandle)
            }
            return try usable { try curve.publicKey(point: point) }
        }
    }

    private func curve(of handle: CK_OBJECT_HANDLE, _ session: Session) throws(TokenFailure) -> Curve {
        let parameters = try tokenCall { () throws(PKCS11Error) in
            try session.attribute(UInt(CKA_EC_PARAMS), of: handle)
        }
        guard let curve = Curve.allCases.first(where: { $0.parameters == parameters }) else {
            throw .answer(SecretError(.keyUnavailable, "\(key) is on none of the curves P-256, P-384 and P-521."))
        }
        return curve
    }

    private func usable<R>(_ body: () throws -> R) throws(TokenFailure) -> R {
        do {
            return try body()
        } catch {
            throw .answer(SecretError(.keyUnavailable, "What the token says of \(key) is not a key or signature."))
        }
    }
}
