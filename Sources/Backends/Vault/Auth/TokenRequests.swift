// What a token can be asked about itself: looked up, renewed, revoked.

import PosternCoding
import PosternProtocol

extension VaultClient {
    /// Looks a token up with the token itself.
    /// - Returns: what Vault knows of it, or nil if it refuses: the token is dead, or may not do this.
    func lookUp(_ token: SecretBytes, deadline: Deadline) async throws(LoginFailure) -> Lease? {
        let answer = try await ask(.get("auth/token/lookup-self").with(.given(token)), deadline: deadline)
        if answer.status == 403 { return nil }
        guard answer.isSuccess else { throw Self.oddAnswer(answer, "a look-up of the gateway's token") }
        do throws(SecretError) {
            return try Lease(ofLookUp: answer, token: token)
        } catch {
            throw .unanswered(error)
        }
    }

    /// Prolongs a token.
    /// - Returns: what it was given; nil if Vault refuses.
    func renew(_ lease: Lease, deadline: Deadline) async throws(LoginFailure) -> Lease? {
        var body = JSONObject()
        body.set("increment", "\(lease.term.components.seconds)s")
        let request = VaultRequest.post("auth/token/renew-self", body.body, isRepeatable: true)
        let answer = try await ask(request.with(.given(lease.token)), deadline: deadline)
        guard answer.isSuccess else { return nil }
        do throws(SecretError) {
            return try Lease(ofLogin: answer)
        } catch {
            throw .unanswered(error)
        }
    }

    /// Ends a token.
    /// - Throws: a failure to tell the log of; the token then ends with its lease.
    func revoke(_ token: SecretBytes, deadline: Deadline) async throws(LoginFailure) {
        let request = VaultRequest.post("auth/token/revoke-self", nil, isRepeatable: true)
        let answer = try await ask(request.with(.given(token)), deadline: deadline)
        guard answer.isSuccess else { throw Self.oddAnswer(answer, "revoking the gateway's token") }
    }

    private static func oddAnswer(_ answer: VaultAnswer, _ what: String) -> LoginFailure {
        .unanswered(
            SecretError(.backendUnavailable, "Vault at \(answer.node) answered \(what) with \(answer.complaint)."))
    }
}
