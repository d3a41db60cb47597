// The store as the bearer of another Vault token sees it: a caller's, whom Vault's own policies then judge too.

import PosternCoding
public import PosternProtocol

extension VaultBackend {
    /// The same mount, asked with a caller's token.
    ///
    /// Whose token it is, Vault is asked (`auth/token/lookup-self`). That alone gives no access: whatever the view then does, the
    /// token itself does.
    /// - Throws: `unauthenticated` if Vault does not know the token, or it may not look itself up.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        try deadline.check("a Vault token was looked at")
        let identity = try await lookUp(credential, deadline: deadline)
        return StoreView(
            backend: VaultBackend(mount: mount.with(.given(credential)), clock: clock), identity: identity)
    }

    private func lookUp(
        _ token: SecretBytes, deadline: Deadline
    ) async throws(SecretError) -> [String: String] {
        let answer: VaultAnswer
        do throws(VaultFailure) {
            answer = try await mount.client.send(
                .get("auth/token/lookup-self").with(.given(token)), deadline: deadline)
        } catch {
            throw error.error
        }
        guard answer.isSuccess else {
            throw SecretError(
                .unauthenticated,
                "Vault does not know the token in x-vault-token, or it may not look itself up (\(answer.complaint)); "
                    + "log in to Vault again.")
        }
        var identity: [String: String] = [:]
        try answer.read(in: "data") { (json, name) throws(SecretError) in
            guard let shown = Self.shownAs[name], json.isAtString else {
                _ = try json.raw("A member")
                return
            }
            let text = try json.string("The member")
            if !text.isEmpty { identity[shown] = text }
        }
        guard identity["vault_accessor"] != nil else {
            throw SecretError(
                .unauthenticated, "A Vault token without an accessor (a batch token) cannot be named in the audit log.")
        }
        return identity
    }

    /// What is told of a token, and how records name it.
    private static let shownAs = [
        "accessor": "vault_accessor", "entity_id": "vault_entity", "display_name": "vault_display_name",
    ]
}
