// Making keys on a token.

import CP11Kit
public import PosternProtocol

/// A kind of key that a token can make, and what for.
public enum PKCS11KeyKind: Sendable, Hashable {
    /// AES with 256 bits, to wrap by AES-GCM: it may encrypt and decrypt, and nothing else.
    case aes256
    /// AES with 256 bits, to wrap by AES-KW: it may wrap and unwrap, and nothing else.
    case aes256ForKeyWrap
    /// RSA with 3072 bits, to wrap by RSA-OAEP: it may decrypt, and nothing else.
    case rsa3072ForWrapping
    /// RSA with 3072 bits, to sign.
    case rsa3072ForSigning
    /// ECDSA on the curve P-256, to sign.
    case p256ForSigning
    /// ECDSA on the curve P-384, to sign.
    case p384ForSigning
}

extension PKCS11Token {
    /// Generates a key on the token: sensitive and not extractable, so that it never leaves.
    /// - Parameters:
    ///   - kind: what key.
    ///   - label: its label (`object` in a URI).
    ///   - id: its identifier (CKA_ID), 1 to 64 bytes.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `invalid_argument` if the token has an object with that label already; `key_unavailable` if it cannot
    ///   make such a key; `deadline_exceeded`, after which the key may have been made; `cancelled`.
    public func generateKey(
        _ kind: PKCS11KeyKind, label: String, id: [UInt8], deadline: Deadline
    ) async throws(SecretError) {
        guard !label.isEmpty, (1...64).contains(id.count) else {
            throw SecretError(.invalidArgument, "A key has a label, and an id of 1 to 64 bytes.")
        }
        try await perform("making the key \(label)", deadline: deadline) {
            (session, connection) throws(TokenFailure) in
            let named = Template([(UInt(CKA_LABEL), .bytes(Array(label.utf8)))])
            guard try tokenCall({ () throws(PKCS11Error) in try session.find(named, limit: 1) }).isEmpty else {
                throw .answer(
                    SecretError(
                        .invalidArgument,
                        "The token \(connection.info.name) has an object with the label \(label) already. Use another "
                            + "label, or remove it if it is not needed any more."))
            }
            try connection.withWritingSession(session.ticket) { (session) throws(PKCS11Error) in
                try KeyTemplates(label: label, id: id).generate(kind, session)
            }
        }
    }
}

extension Connection {
    /// Opens a session to make objects, beside the one that is in use, and closes it.
    fileprivate func withWritingSession(
        _ ticket: CallTicket, _ body: (Session) throws(PKCS11Error) -> Void
    ) throws(TokenFailure) {
        try tokenCall { () throws(PKCS11Error) in
            let session = try Session.open(entry.functions, slot: slot, forWriting: true, ticket)
            do throws(PKCS11Error) {
                try body(session)
            } catch {
                // The first error is the one to tell.
                try? session.close()
                throw error
            }
            try session.close()
        }
    }
}

/// The attributes of new keys.
private struct KeyTemplates {
    let label: String
    let id: [UInt8]

    func generate(_ kind: PKCS11KeyKind, _ session: Session) throws(PKCS11Error) {
        switch kind {
        case .aes256: try generateAES(session, [CKA_ENCRYPT, CKA_DECRYPT])
        case .aes256ForKeyWrap: try generateAES(session, [CKA_WRAP, CKA_UNWRAP])
        case .rsa3072ForWrapping: try generateRSA(session, publicUse: CKA_ENCRYPT, privateUse: CKA_DECRYPT)
        case .rsa3072ForSigning: try generateRSA(session, publicUse: CKA_VERIFY, privateUse: CKA_SIGN)
        case .p256ForSigning: try generateEC(session, .p256)
        case .p384ForSigning: try generateEC(session, .p384)
        }
    }

    private func generateAES(_ session: Session, _ uses: [UInt]) throws(PKCS11Error) {
        let all = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP]
        _ = try session.generateKey(
            .plain(UInt(CKM_AES_KEY_GEN)),
            Template(
                named + secret + [(UInt(CKA_VALUE_LEN), .number(32))]
                    + all.map { ($0, Template.Value.flag(uses.contains($0))) }))
    }

    private func generateRSA(_ session: Session, publicUse: UInt, privateUse: UInt) throws(PKCS11Error) {
        let shape: [(UInt, Template.Value)] = [
            (UInt(CKA_MODULUS_BITS), .number(3072)), (UInt(CKA_PUBLIC_EXPONENT), .bytes([1, 0, 1])),
        ]
        try generatePair(session, UInt(CKM_RSA_PKCS_KEY_PAIR_GEN), shape, publicUse, privateUse)
    }

    private func generateEC(_ session: Session, _ curve: Curve) throws(PKCS11Error) {
        try generatePair(
            session, UInt(CKM_EC_KEY_PAIR_GEN), [(UInt(CKA_EC_PARAMS), .bytes(curve.parameters))], CKA_VERIFY, CKA_SIGN)
    }

    private func generatePair(
        _ session: Session, _ mechanism: UInt, _ shape: [(UInt, Template.Value)], _ publicUse: UInt, _ privateUse: UInt
    ) throws(PKCS11Error) {
        _ = try session.generateKeyPair(
            .plain(mechanism),
            publicKey: Template(named + shape + [(publicUse, .flag(true))]),
            privateKey: Template(named + secret + [(privateUse, .flag(true))]))
    }

    private var named: [(UInt, Template.Value)] {
        [
            (UInt(CKA_TOKEN), .flag(true)), (UInt(CKA_LABEL), .bytes(Array(label.utf8))), (UInt(CKA_ID), .bytes(id)),
        ]
    }

    private var secret: [(UInt, Template.Value)] {
        [(UInt(CKA_PRIVATE), .flag(true)), (UInt(CKA_SENSITIVE), .flag(true)), (UInt(CKA_EXTRACTABLE), .flag(false))]
    }
}
