// The client certificate of the TLS connection.

import PosternCoding
import PosternProtocol

struct CertificateMethod: LoginMethod {
    let mount: MountPath
    let role: String?

    var description: String { "a certificate at auth/\(mount)" }
    var makesTokens: Bool { true }
    var watched: Credential? { nil }

    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease {
        var body = JSONObject()
        if let role { body.set("name", role) }
        return try await vault.logIn(
            at: mount, body, method: description,
            advice:
                "Look at whether the certificate role trusts the certificate's authority and its names, whether it has "
                + "expired, and whether a proxy in between ends TLS.",
            deadline: deadline)
    }
}
