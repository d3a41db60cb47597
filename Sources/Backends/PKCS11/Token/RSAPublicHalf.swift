// The public half of an RSA key pair. Most tokens have it among the attributes of the private key too.

import CP11Kit

/// What makes an RSA public key.
struct RSAPublicHalf: Sendable {
    let modulus: [UInt8]
    let exponent: [UInt8]

    /// Reads it from the private key, or else from the public key of the same label and id.
    /// - Throws: what a call answered; `key_unavailable` if there is no such public key either.
    init(of query: KeyQuery, _ connection: Connection, _ session: Session) throws(TokenFailure) {
        let key = try connection.key(query, session)
        do throws(PKCS11Error) {
            self = try Self.read(key, session)
        } catch {
            guard error.errorClass == .caller else { throw .call(error) }
            session.spoil()
            var half = query
            half.keyClass = .public
            let publicKey = try connection.key(half, session)
            self = try tokenCall { () throws(PKCS11Error) in try Self.read(publicKey, session) }
        }
    }

    private init(modulus: [UInt8], exponent: [UInt8]) {
        self.modulus = modulus
        self.exponent = exponent
    }

    private static func read(_ key: CK_OBJECT_HANDLE, _ session: Session) throws(PKCS11Error) -> RSAPublicHalf {
        RSAPublicHalf(
            modulus: try session.attribute(UInt(CKA_MODULUS), of: key),
            exponent: try session.attribute(UInt(CKA_PUBLIC_EXPONENT), of: key))
    }
}
