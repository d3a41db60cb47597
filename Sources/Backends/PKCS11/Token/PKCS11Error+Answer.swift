// What a caller is told of a PKCS#11 error that could not be mended.

import CP11Kit
import PosternProtocol

extension PKCS11Error {
    /// The error for the caller.
    /// - Parameters:
    ///   - token: which token.
    ///   - what: what was being done.
    func answer(token: String, what: String) -> SecretError {
        let fact = "The token \(token) failed at \(what): \(self)."
        return switch errorClass {
        case .caller where isDefect:
            SecretError(.internalError, "\(fact) Report this, with the HSM's make and firmware.")
        case .caller:
            SecretError(.keyUnavailable, "\(fact) The key or the token does not allow it; see the key's attributes.")
        case .key:
            SecretError(
                .keyUnavailable, "\(fact) The key was found again, and still is not usable.", retryAfterSeconds: 5)
        case .session:
            SecretError(.keyUnavailable, "\(fact) A fresh session fared no better.", retryAfterSeconds: 1)
        case .login:
            SecretError(.keyUnavailable, "\(fact) Logging in again did not help; see the token's users and PIN.")
        case .token:
            SecretError(.keyUnavailable, "\(fact) It was looked for again. Connect the HSM.", retryAfterSeconds: 5)
        case .library:
            SecretError(
                .keyUnavailable, "\(fact) The module was initialised again, which did not help. Look at the HSM.",
                retryAfterSeconds: 5)
        }
    }

    /// Whether Postern has called the function wrongly.
    private var isDefect: Bool {
        value.rawValue == CKR_ARGUMENTS_BAD || value.rawValue == CKR_BUFFER_TOO_SMALL
    }
}
