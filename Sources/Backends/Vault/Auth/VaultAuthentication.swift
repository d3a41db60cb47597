// How the gateway proves to Vault who it is: what a configuration has to say about it.

public import PosternProtocol

/// Something secret that the gateway proves itself with.
public enum VaultCredential: Sendable {
    /// The bytes, as from an environment variable.
    case value(SecretBytes)
    /// The path of a file that holds them; white space at its end does not count. Read again at each login.
    case file(String)
}

/// Where AppRole's secret ID comes from.
public enum VaultSecretID: Sendable {
    /// It is given as it is.
    case plain(VaultCredential)
    /// A file holds a response-wrapping token that whoever deploys the gateway made with
    /// `vault write -wrap-ttl=… -f auth/<mount>/role/<role>/secret-id`. It is unwrapped once, and the secret ID kept in memory; a new
    /// wrapping token in the file is taken up at the next login.
    /// - Parameter role: the role's name, which the token must have been made for.
    case wrapped(file: String, role: String)
}

/// How the gateway logs in to Vault. Mount paths are as after `auth/`, in the namespace of ``VaultOptions``.
public enum VaultAuthentication: Sendable {
    /// With a token that somebody else made (`VAULT_TOKEN`, or the file of an agent). It needs the right to look itself up, as
    /// the policy `default` gives. A file is looked at again at most once a second, and whenever Vault refuses the token.
    case token(VaultCredential)
    /// With AppRole.
    /// - Parameters:
    ///   - roleID: the role's ID.
    ///   - secretID: nil for a role that asks for none (`bind_secret_id=false`).
    case appRole(roleID: VaultCredential, secretID: VaultSecretID?, mount: String = "approle")
    /// With the token of the pod's service account.
    case kubernetes(
        role: String, tokenFile: String = "/var/run/secrets/kubernetes.io/serviceaccount/token",
        mount: String = "kubernetes")
    /// With the client certificate of ``VaultTLS``.
    /// - Parameter role: the certificate role, or nil for any that matches.
    case certificate(role: String? = nil, mount: String = "cert")
    /// With a JSON Web Token that somebody else issues.
    /// - Parameter role: the role, or nil for the mount's default role.
    case jwt(VaultCredential, role: String? = nil, mount: String = "jwt")

    /// The method that this means.
    /// - Throws: `invalid_argument` saying what is missing or malformed.
    func method(_ options: VaultOptions) throws(SecretError) -> any LoginMethod {
        switch self {
        case .token(let credential):
            return TokenMethod(Credential(credential, "the Vault token"))
        case .appRole(let roleID, let secretID, let mount):
            return AppRoleMethod(
                mount: try MountPath(mount, under: "auth"), roleID: Credential(roleID, "the AppRole role ID"),
                secretID: try secretID.map { secretID throws(SecretError) in
                    switch secretID {
                    case .plain(let credential): .plain(Credential(credential, "the AppRole secret ID"))
                    case .wrapped(let file, let role):
                        .wrapped(WrappedSecretID(file: file, role: try VaultName(role, "The AppRole role")))
                    }
                })
        case .kubernetes(let role, let tokenFile, let mount):
            return KubernetesMethod(
                mount: try MountPath(mount, under: "auth"), role: role,
                token: Credential(.file(tokenFile), "the service account's token"))
        case .certificate(let role, let mount):
            guard options.tls.clientCertificate != nil else {
                throw SecretError(
                    .invalidArgument,
                    "To log in to Vault with a certificate, give one: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY.")
            }
            guard options.addresses.allSatisfy(\.isTLS) else {
                throw SecretError(
                    .invalidArgument, "To log in to Vault with a certificate, every address must be https.")
            }
            return CertificateMethod(mount: try MountPath(mount, under: "auth"), role: role)
        case .jwt(let credential, let role, let mount):
            return JWTMethod(
                mount: try MountPath(mount, under: "auth"), role: role, token: Credential(credential, "the JWT"))
        }
    }
}
