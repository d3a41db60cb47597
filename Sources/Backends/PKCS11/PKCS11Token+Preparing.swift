// Whether a key is on a token, and what kind to make where it is not.

public import PosternProtocol

extension PKCS11Token {
    /// Whether the token has a secret or private key with the label and the id of a URI.
    /// - Parameters:
    ///   - key: the key's `object` or `id` or both, and perhaps its `type`.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `key_unavailable` if several match, or the token is not there; `deadline_exceeded`, `cancelled`.
    public func holds(_ key: PKCS11URI, deadline: Deadline) async throws(SecretError) -> Bool {
        let classes: [KeyQuery.Class] =
            switch key.type {
            case .secretKey: [.secret]
            case .privateKey: [.private]
            default: [.secret, .private]
            }
        return try await perform("looking for \(key)", deadline: deadline) {
            (session, connection) throws(TokenFailure) in
            var count = 0
            for keyClass in classes {
                count += try connection.find(KeyQuery(label: key.object, id: key.id, keyClass: keyClass), session).count
            }
            guard count < 2 else {
                throw .answer(
                    SecretError(
                        .keyUnavailable,
                        "The token \(connection.info.name) has \(count) keys that match \(key). Say which by adding `id` "
                            + "or `type` to the URI, or remove those that should not be there."))
            }
            return count == 1
        }
    }

    /// The kind of key to make for wrapping: AES where the token can wrap with it, by AES-GCM if it can.
    /// - Parameters:
    ///   - rsa: RSA instead.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `key_unavailable` if the token cannot wrap so, or is not there; `deadline_exceeded`, `cancelled`.
    public func kindForWrapping(rsa: Bool, deadline: Deadline) async throws(SecretError) -> PKCS11KeyKind {
        let candidates: [(kind: PKCS11KeyKind, way: PKCS11WrapMechanism)] =
            rsa ? [(.rsa3072ForWrapping, .rsaOAEPSHA256)] : [(.aes256, .aesGCM), (.aes256ForKeyWrap, .aesKeyWrap)]
        return try await perform("asking what the token can do", deadline: deadline) {
            (session, connection) throws(TokenFailure) in
            for candidate in candidates where try connection.offers(candidate.way, session.ticket) {
                return candidate.kind
            }
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    rsa
                        ? "The token \(connection.info.name) does not offer CKM_RSA_PKCS_OAEP, so it cannot unwrap with RSA."
                        : "The token \(connection.info.name) offers neither CKM_AES_GCM nor CKM_AES_KEY_WRAP; use RSA.")
            )
        }
    }
}
