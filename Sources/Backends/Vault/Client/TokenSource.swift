// Where the gateway's own token comes from.

import PosternProtocol

/// A source of the token that the gateway uses for itself.
protocol TokenSource: Sendable {
    /// The token to use now; logs in first if there is none.
    /// - Throws: `backend_unavailable`, `backend_sealed`, `rate_limited`, `deadline_exceeded`, `cancelled`.
    func token(deadline: Deadline) async throws(SecretError) -> SecretBytes

    /// Vault answered 403 to a token. That may be its policy's word, or the token may be dead.
    /// - Parameters:
    ///   - token: the token that was refused.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: a token to try once more with, or nil if the one refused is alive: then the refusal stands.
    func replacement(for token: SecretBytes, deadline: Deadline) async throws(SecretError) -> SecretBytes?
}
