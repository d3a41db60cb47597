// AppRole: a role's ID and a secret ID, of which the latter may come wrapped.

import PosternCoding
import PosternProtocol

struct AppRoleMethod: LoginMethod {
    enum SecretID: Sendable {
        case plain(Credential)
        case wrapped(WrappedSecretID)
    }

    let mount: MountPath
    let roleID: Credential
    let secretID: SecretID?

    var description: String { "AppRole at auth/\(mount)" }
    var makesTokens: Bool { true }

    var watched: Credential? {
        switch secretID {
        case .plain(let credential): credential
        case .wrapped(let wrapped): wrapped.file
        case nil: roleID
        }
    }

    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease {
        var body = JSONObject()
        body.set("role_id", try roleID.read())
        switch secretID {
        case .plain(let credential): body.set("secret_id", try credential.read())
        case .wrapped(let wrapped):
            body.set("secret_id", try await wrapped.secretID(vault, mount: mount, deadline: deadline))
        case nil: break
        }
        return try await vault.logIn(
            at: mount, body, method: description,
            advice: "Look at the role ID, and at whether the secret ID has expired or been used up\(renewal). After "
                + "several wrong ones Vault locks the role out for some minutes.",
            deadline: deadline)
    }

    private var renewal: String {
        guard let file = watched?.file else { return "" }
        if case .wrapped = secretID { return "; put a new wrapping token into \(file)" }
        return "; put a new one into \(file)"
    }
}
