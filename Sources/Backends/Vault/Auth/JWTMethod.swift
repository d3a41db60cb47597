// JWT: a token that somebody whom Vault trusts has signed.

import PosternCoding
import PosternProtocol

struct JWTMethod: LoginMethod {
    let mount: MountPath
    let role: String?
    let token: Credential

    var description: String { "JWT at auth/\(mount)" }
    var makesTokens: Bool { true }
    var watched: Credential? { token }

    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease {
        var body = JSONObject()
        if let role { body.set("role", role) }
        body.set("jwt", try token.read())
        return try await vault.logIn(
            at: mount, body, method: description,
            advice:
                "Look at what the role is bound to (audience, subject, claims), and at whether the JWT has expired.",
            deadline: deadline)
    }
}
