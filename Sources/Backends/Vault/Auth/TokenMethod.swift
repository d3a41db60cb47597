// A token that somebody else made: from the environment, or from a file that an agent writes.

import PosternProtocol

struct TokenMethod: LoginMethod {
    private let credential: Credential

    init(_ credential: Credential) {
        self.credential = credential
    }

    var description: String { credential.file.map { "a token in \($0)" } ?? "a given token" }
    var makesTokens: Bool { false }
    var watched: Credential? { credential }

    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease {
        let token = try credential.readToken()
        guard let lease = try await vault.lookUp(token, deadline: deadline) else {
            let advice =
                credential.file == nil
                ? "start the gateway again with a good one (VAULT_TOKEN)." : "put a good one in its place."
            throw .refused(
                "Vault refuses \(credential.description): it is revoked, expired or of another cluster, or its policies lack "
                    + "auth/token/lookup-self, which the policy default has; \(advice)")
        }
        return lease
    }
}
