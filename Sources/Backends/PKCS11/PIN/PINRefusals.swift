// PINs that tokens have refused. Nobody tries one a second time, so that Postern never locks a token.

import Crypto
import PosternProtocol
import Synchronization

/// What tokens said of PINs, and one login at a time for each token.
final class PINRefusals: Sendable {
    private struct State {
        /// The refused PIN of each token, as a keyed hash, and what the token said.
        var refused: [String: (fingerprint: SymmetricKey, answer: ReturnValue)] = [:]
        var loggingIn: [String: CallTicket] = [:]
    }

    private let key = SymmetricKey(size: .bits256)
    private let state = Monitor(State())

    /// Logs in to a token unless it has refused this very PIN.
    /// - Parameters:
    ///   - token: which token, for all processes of this one's module.
    ///   - pin: what to try.
    ///   - source: where it is from, for messages.
    ///   - login: calls `C_Login`.
    /// - Throws: `key_unavailable` for a refused PIN, now or before; what `login` throws otherwise.
    func attempt(
        _ token: String, pin: SecretBytes, source: String, _ ticket: CallTicket,
        login: () throws(PKCS11Error) -> Void
    ) throws(TokenFailure) {
        let fingerprint = unsafe pin.withUnsafeBytes { bytes in
            SymmetricKey(data: unsafe HMAC<SHA256>.authenticationCode(for: bytes, using: key))
        }
        try take(token, fingerprint, source, ticket)
        defer { state.change { _ = $0.loggingIn.removeValue(forKey: token) } }
        do throws(PKCS11Error) {
            try login()
            state.change { _ = $0.refused.removeValue(forKey: token) }
        } catch {
            guard error.isRefusedPIN else { throw .call(error) }
            state.change { $0.refused[token] = (fingerprint, error.value) }
            throw .answer(Self.refusal(token, error.value, source))
        }
    }

    /// Lets refused PINs be tried once more, since an operator says that the tokens were mended.
    func forgetAll() {
        state.change { $0.refused = [:] }
    }

    private func take(
        _ token: String, _ fingerprint: SymmetricKey, _ source: String, _ ticket: CallTicket
    ) throws(TokenFailure) {
        let mayTry = try state.wait(until: ticket.deadline) { (state) throws(TokenFailure) -> Bool? in
            if let refused = state.refused[token], refused.fingerprint == fingerprint {
                throw .answer(Self.refusal(token, refused.answer, source))
            }
            guard state.loggingIn[token] == nil else { return nil }
            state.loggingIn[token] = ticket
            return true
        }
        if mayTry == nil { throw .answer(ticket.late("while somebody else was logging in to \(token)")) }
    }

    private static func refusal(_ token: String, _ answer: ReturnValue, _ source: String) -> SecretError {
        SecretError(
            .keyUnavailable,
            "The token \(token) refuses the PIN from \(source) (\(answer)). It is not tried again, so that the token "
                + "does not lock itself, until there is another PIN, or until you have mended the token and reload.")
    }
}
