// Which mechanism to wrap with: the best that the token offers, and that works when it is tried.

import CP11Kit
import PosternProtocol

/// A mechanism that was tried and works.
struct MechanismChoice: Sendable, Equatable {
    let mechanism: PKCS11WrapMechanism
    var tokenMakesIV = false

    /// All, the best first.
    static let preferred: [MechanismChoice] = [
        MechanismChoice(mechanism: .aesGCM),
        MechanismChoice(mechanism: .aesGCM, tokenMakesIV: true),
        MechanismChoice(mechanism: .aesKeyWrap),
        MechanismChoice(mechanism: .rsaOAEPSHA256),
        MechanismChoice(mechanism: .rsaOAEPSHA1),
    ]

    /// What came of trying one.
    enum Verdict: Sendable {
        case works
        case unsupported(String)
    }
}

extension Connection {
    /// Whether the token says that it has a mechanism, and can do with it what is needed.
    func offers(_ mechanism: PKCS11WrapMechanism, _ ticket: CallTicket) throws(TokenFailure) -> Bool {
        let (type, flags) = mechanism.requirement
        var info = CK_MECHANISM_INFO()
        do throws(PKCS11Error) {
            try ticket.call(.getMechanismInfo) {
                unsafe entry.functions.list.pointee.C_GetMechanismInfo(slot, type, &info)
            }
        } catch {
            guard error.errorClass == .caller else { throw .call(error) }
            return false
        }
        return info.flags & flags == flags
    }
}

extension TokenKey {
    /// Wraps and unwraps a random key.
    /// - Throws: what a call answered; `key_unavailable` if it came back different.
    func prove() throws(TokenFailure) {
        let probe = OneTimeKey.random().bytes
        let binding = Array("postern-probe".utf8)
        let blob = try wrap(probe, associatedData: binding)
        let body = blob.dropFirst(WrappedKeyHeader(id: id, mechanism: mechanism).bytes.count)
        guard try unwrap(body, associatedData: binding) == probe else {
            throw .answer(
                SecretError(
                    .keyUnavailable, "\(query) on the token \(connection.info.name) gives back other than it got."))
        }
    }

    /// Tries it, for whether this key on this token can be used in this way.
    func verdict() throws(TokenFailure) -> MechanismChoice.Verdict {
        guard try connection.offers(mechanism, session.ticket) else { return .unsupported("not offered") }
        try checkStrength()
        do throws(TokenFailure) {
            try prove()
            return .works
        } catch {
            guard case .call(let refused) = error, refused.isUnsupported else { throw error }
            session.spoil()
            return .unsupported("\(refused)")
        }
    }

    /// Refuses a key that is too short for what is wrapped under it.
    private func checkStrength() throws(TokenFailure) {
        let key = try connection.key(query, session)
        let bits: Int
        let needed: Int
        do throws(PKCS11Error) {
            switch mechanism.keyClass {
            case .secret:
                bits = try Int(clamping: session.number(UInt(CKA_VALUE_LEN), of: key)) * 8
                needed = 256
            case .private, .public:
                bits = try session.attribute(UInt(CKA_MODULUS), of: key).drop { $0 == 0 }.count * 8
                needed = 2_048
            }
        } catch {
            // Another kind of key, or a token that does not tell: whether it works is seen next.
            guard error.errorClass == .caller else { throw .call(error) }
            return
        }
        guard bits >= needed else {
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "\(query) on the token \(connection.info.name) has \(bits) bits; a key that wraps needs \(needed).")
            )
        }
    }
}
