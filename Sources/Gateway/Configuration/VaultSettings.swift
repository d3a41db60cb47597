// The settings of Vault or OpenBao as store and as home of keys.

public import PosternProtocol

/// How the gateway proves to Vault who it is.
public enum VaultAuthMethod: String, Sendable, CaseIterable {
    /// A token, from the environment or a file.
    case token
    /// A role id and a secret id.
    case appRole = "approle"
    /// The service account of a pod.
    case kubernetes
    /// The client certificate.
    case certificate = "cert"
    /// A JSON web token that somebody else keeps fresh in a file.
    case jwt
}

/// Whether callers' own Vault tokens are used.
public enum TokenPassThrough: String, Sendable, CaseIterable {
    /// A call that has one is refused.
    case off
    /// A call that has one uses it, others use the gateway's.
    case optional
    /// Services must have one.
    case required
}

enum VaultSettings {
    static let addresses = Setting(
        "backend.vault.addresses", .httpAddresses, .isFine(example: "https://vault.example.org:8200"),
        alias: "VAULT_ADDR",
        "The servers of one Vault or OpenBao cluster. Needed by the vault backend and Transit keys.")
    static let namespace = Setting(
        "backend.vault.namespace", .word, .isFine(example: "team-a"), alias: "VAULT_NAMESPACE",
        "The namespace that everything is in.")
    static let mount = Setting(
        "backend.vault.mount", .word, .means("secret"), "Where the KV version 2 engine is mounted.")
    static let patience = Setting(
        "backend.vault.patience", .duration(.zero...GRPCSettings.maximum), .means("15s"),
        "How long calls wait for an unreachable cluster to come back, as in a failover, before they fail at once.")
    static let passThrough = Setting(
        "backend.vault.token_pass_through", .choice(TokenPassThrough.self), .means("off"),
        "Whether a gRPC call's x-vault-token is what reads and writes, so that Vault's policies decide too.")
    static let loopbackHTTP = Setting(
        "backend.vault.allow_loopback_http", .boolean, .means("false"),
        "Whether an agent on this machine may be reached by http; anywhere else only https will do.")

    static let token = Setting(
        "backend.vault.token", .secret, .isFine(example: ""), alias: "VAULT_TOKEN",
        "The gateway's token, for the method token. Give it in the environment rather than here.")
    static let tokenFile = Setting(
        "backend.vault.token_file", .path, .isFine(example: "/run/postern/vault-token"),
        "A file with the gateway's token, read again when it changes.")

    static let authorities = Setting(
        "backend.vault.tls.ca_file", .path, .isFine(example: "vault-ca.pem"), alias: "VAULT_CACERT",
        "The authorities to trust, in PEM; the system's if neither file nor folder is given.")
    static let authoritiesFolder = Setting(
        "backend.vault.tls.ca_path", .path, .isFine(example: "vault-ca"), alias: "VAULT_CAPATH",
        "A folder of such files.")
    static let clientCertificate = Setting(
        "backend.vault.tls.client_certificate", .path, .isFine(example: "postern.pem"), alias: "VAULT_CLIENT_CERT",
        "The gateway's own certificate towards Vault, in PEM.")
    static let clientKey = Setting(
        "backend.vault.tls.client_key", .path, .isFine(example: "postern.key"), alias: "VAULT_CLIENT_KEY",
        "Its key.")
    static let serverName = Setting(
        "backend.vault.tls.server_name", .word, .isFine(example: "vault.example.org"), alias: "VAULT_TLS_SERVER_NAME",
        "The name that Vault's certificate must have, where it is not the address's host.")
    static let skipVerify = Setting(
        "backend.vault.tls.skip_verify", .flag, .means("false"), alias: "VAULT_SKIP_VERIFY",
        "Whether Vault's certificate is not looked at. Only postern dev accepts true.")

    static let method = Setting(
        "backend.vault.auth.method", .choice(VaultAuthMethod.self), .means("token"),
        "How the gateway proves to Vault who it is.")
    static let authMount = Setting(
        "backend.vault.auth.mount", .word, .isFine(example: "approle"),
        "Where the method is mounted, below auth/; the method's own name if not given.")
    static let role = Setting(
        "backend.vault.auth.role", .word, .isFine(example: "postern"),
        "The role to log in for: kubernetes, jwt, cert; for approle the role that a wrapped secret id must be of.")
    static let roleID = Setting(
        "backend.vault.auth.role_id", .word, .isFine(example: "675a50e7-cfe0-be76-e35f-49ec009731ea"),
        "The role id, for approle.")
    static let roleIDFile = Setting(
        "backend.vault.auth.role_id_file", .path, .isFine(example: "role-id"), "A file with it.")
    static let secretID = Setting(
        "backend.vault.auth.secret_id", .secret, .isFine(example: ""),
        "The secret id, for approle. Give it in the environment or a file rather than here.")
    static let secretIDFile = Setting(
        "backend.vault.auth.secret_id_file", .path, .isFine(example: "secret-id"),
        "A file with it, read at each login.")
    static let wrappedSecretIDFile = Setting(
        "backend.vault.auth.wrapped_secret_id_file", .path, .isFine(example: "wrapped-secret-id"),
        "A file with a wrapping token that holds the secret id; it can be used once.")
    static let jwtFile = Setting(
        "backend.vault.auth.jwt_file", .path,
        .isFine(example: "/var/run/secrets/kubernetes.io/serviceaccount/token"),
        "The JSON web token, for jwt and kubernetes, read at each login.")

    static let all: [AnySetting] = [
        addresses.erased, namespace.erased, mount.erased, patience.erased, passThrough.erased, loopbackHTTP.erased,
        token.erased, tokenFile.erased, authorities.erased, authoritiesFolder.erased, clientCertificate.erased,
        clientKey.erased, serverName.erased, skipVerify.erased, method.erased, authMount.erased, role.erased,
        roleID.erased, roleIDFile.erased, secretID.erased, secretIDFile.erased, wrappedSecretIDFile.erased,
        jwtFile.erased,
    ]
}

extension GatewayConfiguration {
    /// Vault or OpenBao.
    public struct Vault: Sendable {
        /// The servers of one cluster.
        public let addresses: [String]
        /// The namespace that everything is in.
        public let namespace: String?
        /// Where the KV version 2 engine is mounted.
        public let mount: String
        /// How long calls wait for an unreachable cluster to come back.
        public let patience: Duration
        /// Whether callers' own tokens are used.
        public let passThrough: TokenPassThrough
        /// Whether an agent on this machine may be reached by http.
        public let allowsLoopbackHTTP: Bool
        /// How connections are verified.
        public let tls: TLS
        /// How the gateway proves who it is.
        public let auth: Auth

        /// How connections are verified.
        public struct TLS: Sendable {
            /// The authorities' file.
            public let authorities: String?
            /// The authorities' folder.
            public let authoritiesFolder: String?
            /// The client certificate's file.
            public let clientCertificate: String?
            /// Its key's file.
            public let clientKey: String?
            /// The name that the server's certificate must have.
            public let serverName: String?
            /// Whether it is not looked at.
            public let skipVerify: Bool
        }

        /// How the gateway proves who it is.
        public struct Auth: Sendable {
            /// The method.
            public let method: VaultAuthMethod
            /// Where it is mounted.
            public let mount: String?
            /// The role.
            public let role: String?
            /// The token.
            public let token: SecretBytes?
            /// The token's file.
            public let tokenFile: String?
            /// The role id.
            public let roleID: String?
            /// The role id's file.
            public let roleIDFile: String?
            /// The secret id.
            public let secretID: SecretBytes?
            /// The secret id's file.
            public let secretIDFile: String?
            /// The file of a wrapping token that holds the secret id.
            public let wrappedSecretIDFile: String?
            /// The JSON web token's file.
            public let jwtFile: String?
        }
    }
}

extension GatewayConfiguration.Vault {
    init(_ values: Values) throws(ConfigurationProblems) {
        addresses = values.find(VaultSettings.addresses) ?? []
        namespace = values.find(VaultSettings.namespace)
        mount = try values.get(VaultSettings.mount)
        patience = try values.get(VaultSettings.patience)
        passThrough = try values.get(VaultSettings.passThrough)
        allowsLoopbackHTTP = try values.get(VaultSettings.loopbackHTTP)
        tls = TLS(
            authorities: values.find(VaultSettings.authorities).map(values.resolve),
            authoritiesFolder: values.find(VaultSettings.authoritiesFolder).map(values.resolve),
            clientCertificate: values.find(VaultSettings.clientCertificate).map(values.resolve),
            clientKey: values.find(VaultSettings.clientKey).map(values.resolve),
            serverName: values.find(VaultSettings.serverName), skipVerify: try values.get(VaultSettings.skipVerify))
        auth = Auth(
            method: try values.get(VaultSettings.method), mount: values.find(VaultSettings.authMount),
            role: values.find(VaultSettings.role), token: values.find(VaultSettings.token),
            tokenFile: values.find(VaultSettings.tokenFile).map(values.resolve),
            roleID: values.find(VaultSettings.roleID),
            roleIDFile: values.find(VaultSettings.roleIDFile).map(values.resolve),
            secretID: values.find(VaultSettings.secretID),
            secretIDFile: values.find(VaultSettings.secretIDFile).map(values.resolve),
            wrappedSecretIDFile: values.find(VaultSettings.wrappedSecretIDFile).map(values.resolve),
            jwtFile: values.find(VaultSettings.jwtFile).map(values.resolve))
    }

    /// What contradicts what, for a gateway that uses Vault.
    /// - Parameters:
    ///   - isDevelopment: whether connections that nobody verifies are accepted.
    ///   - check: told whether something holds, and of which key and what to say if not.
    func contradictions(isDevelopment: Bool, _ check: (Bool, String, String) -> Void) {
        check(
            !addresses.isEmpty, VaultSettings.addresses.key,
            "there is no address of Vault; set VAULT_ADDR in the environment.")
        let plain = addresses.first { $0.hasPrefix("http://") }
        let isFine =
            isDevelopment || addresses.allSatisfy { $0.hasPrefix("https://") || allowsLoopbackHTTP && isLoopback($0) }
        check(
            isFine, VaultSettings.addresses.key,
            "\(plain ?? "") is not verified by anybody: use https. For an agent on this machine, set "
                + "\(VaultSettings.loopbackHTTP.key).")
        check(
            isDevelopment || !tls.skipVerify, VaultSettings.skipVerify.key,
            "only postern dev talks to a Vault whose certificate is not verified; trust its authority with "
                + "VAULT_CACERT instead.")
        check(
            (tls.clientCertificate == nil) == (tls.clientKey == nil), VaultSettings.clientKey.key,
            "a client certificate and its key are given together or not at all.")
        checkAuth(check)
    }

    private func isLoopback(_ address: String) -> Bool {
        ["http://127.", "http://localhost:", "http://[::1]"].contains { address.hasPrefix($0) }
    }

    private func checkAuth(_ check: (Bool, String, String) -> Void) {
        func need(_ holds: Bool, _ key: String, _ what: String) {
            check(holds, key, "the method \(auth.method.rawValue) needs \(what).")
        }
        switch auth.method {
        case .token:
            need(
                (auth.token == nil) != (auth.tokenFile == nil), VaultSettings.token.key,
                "a token: set VAULT_TOKEN in the environment, or \(VaultSettings.tokenFile.key), and not both")
        case .appRole:
            need(
                (auth.roleID == nil) != (auth.roleIDFile == nil), VaultSettings.roleID.key,
                "a role id, as a value or as a file")
            let secrets = [auth.secretID != nil, auth.secretIDFile != nil, auth.wrappedSecretIDFile != nil]
            need(
                secrets.count { $0 } == 1, VaultSettings.secretID.key,
                "a secret id: one of secret_id, secret_id_file and wrapped_secret_id_file")
            need(
                auth.wrappedSecretIDFile == nil || auth.role != nil, VaultSettings.role.key,
                "the role's name, to tell whether a wrapped secret id is really its")
        case .kubernetes:
            need(auth.role != nil, VaultSettings.role.key, "a role")
        case .jwt:
            need(auth.role != nil, VaultSettings.role.key, "a role")
            need(auth.jwtFile != nil, VaultSettings.jwtFile.key, "a file with the token")
        case .certificate:
            need(
                tls.clientCertificate != nil, VaultSettings.clientCertificate.key,
                "a client certificate: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY")
        }
    }
}
