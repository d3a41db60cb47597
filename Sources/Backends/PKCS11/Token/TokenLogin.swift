// Logging in to a token without ever locking it.

import CP11Kit
import PosternProtocol

/// How the user logs in.
struct TokenLogin: Sendable {
    let source: PINSource?
    let refusals: PINRefusals

    /// Logs in on a session.
    /// - Throws: `key_unavailable` if the PIN cannot be read, was refused, or must not be tried; what a call answered.
    func perform(_ session: Session, slot: CK_SLOT_ID, name: String) throws(TokenFailure) {
        // What the token says now: somebody else may have used up tries.
        guard let info = try Slots(functions: session.functions, ticket: session.ticket).info(of: slot) else {
            throw .call(PKCS11Error(.getTokenInfo, ReturnValue(rawValue: CKR_TOKEN_NOT_PRESENT)))
        }
        guard info.has(CKF_LOGIN_REQUIRED) else { return }
        guard let source else {
            guard info.has(CKF_PROTECTED_AUTHENTICATION_PATH) else {
                throw refused("The token \(name) asks for a PIN, and none is configured: add `pin-source`.")
            }
            return try tokenCall { () throws(PKCS11Error) in try session.login(nil) }
        }
        guard info.has(CKF_USER_PIN_INITIALIZED) else {
            throw refused("The token \(name) has no user PIN yet; set one up with the vendor's tool.")
        }
        guard !info.has(CKF_USER_PIN_LOCKED) else {
            throw refused("The user PIN of the token \(name) is locked; its security officer can unlock it.")
        }
        guard !info.has(CKF_USER_PIN_FINAL_TRY) else {
            throw refused(
                "The token \(name) would lock itself after one more wrong PIN, so Postern tries none. Log in once with "
                    + "the vendor's tool and the right PIN.")
        }
        let pin: SecretBytes
        do throws(SecretError) {
            pin = try source.read(deadline: session.ticket.deadline)
        } catch {
            throw .answer(error)
        }
        try refusals.attempt(name, pin: pin, source: "\(source)", session.ticket) { () throws(PKCS11Error) in
            try session.login(pin)
        }
    }

    private func refused(_ why: String) -> TokenFailure {
        .answer(SecretError(.keyUnavailable, why))
    }
}
