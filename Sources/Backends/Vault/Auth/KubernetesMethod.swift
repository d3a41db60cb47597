// Kubernetes: the token of the pod's service account, which Vault has the cluster confirm.

import PosternCoding
import PosternProtocol

struct KubernetesMethod: LoginMethod {
    let mount: MountPath
    let role: String
    /// Read at each login: Kubernetes replaces it before it expires.
    let token: Credential

    var description: String { "Kubernetes at auth/\(mount)" }
    var makesTokens: Bool { true }
    var watched: Credential? { token }

    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease {
        var body = JSONObject()
        body.set("role", role)
        body.set("jwt", try token.read())
        return try await vault.logIn(
            at: mount, body, method: description,
            advice:
                "Look at the role \(shown(role)): which service accounts, namespaces and audience it is bound to, and "
                + "at whether Vault may review tokens in the cluster.",
            deadline: deadline)
    }
}
