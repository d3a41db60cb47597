// A configuration's Vault, as the Vault backend wants it.

import Logging
import NIOCore
import PosternConfiguration
import PosternCore
import PosternProtocol
import Vault

extension VaultSession {
    /// The session that a configuration describes.
    convenience init(
        _ settings: GatewayConfiguration.Vault, group: any EventLoopGroup, logger: Logger
    ) throws(SecretError) {
        var addresses: [VaultAddress] = []
        for address in settings.addresses { addresses.append(try VaultAddress(address)) }
        var options = VaultOptions(addresses: addresses)
        options.namespace = settings.namespace
        options.patience = settings.patience
        options.tls.authorities = settings.tls.authorities
        options.tls.authoritiesFolder = settings.tls.authoritiesFolder
        options.tls.clientCertificate = settings.tls.clientCertificate
        options.tls.clientKey = settings.tls.clientKey
        options.tls.serverName = settings.tls.serverName
        options.tls.isVerified = !settings.tls.skipVerify
        try self.init(options, authentication: Self.authentication(settings.auth), group: group, logger: logger)
    }

    /// The configuration has made sure that each method has what it needs.
    private static func authentication(
        _ auth: GatewayConfiguration.Vault.Auth
    ) throws(SecretError) -> VaultAuthentication {
        func missing(_ what: String) -> SecretError {
            SecretError(.invalidArgument, "The method \(auth.method.rawValue) of Vault needs \(what).")
        }
        switch auth.method {
        case .token:
            guard let token = credential(auth.token, auth.tokenFile) else { throw missing("a token") }
            return .token(token)
        case .appRole:
            guard let roleID = credential(auth.roleID.map { SecretBytes($0) }, auth.roleIDFile) else {
                throw missing("a role id")
            }
            let secretID: VaultSecretID? =
                if let file = auth.wrappedSecretIDFile, let role = auth.role {
                    .wrapped(file: file, role: role)
                } else {
                    credential(auth.secretID, auth.secretIDFile).map { .plain($0) }
                }
            return .appRole(roleID: roleID, secretID: secretID, mount: auth.mount ?? "approle")
        case .kubernetes:
            guard let role = auth.role else { throw missing("a role") }
            return .kubernetes(
                role: role,
                tokenFile: auth.jwtFile ?? "/var/run/secrets/kubernetes.io/serviceaccount/token",
                mount: auth.mount ?? "kubernetes")
        case .certificate:
            return .certificate(role: auth.role, mount: auth.mount ?? "cert")
        case .jwt:
            guard let file = auth.jwtFile else { throw missing("a file with the token") }
            return .jwt(.file(file), role: auth.role, mount: auth.mount ?? "jwt")
        }
    }

    private static func credential(_ value: SecretBytes?, _ file: String?) -> VaultCredential? {
        value.map { .value($0) } ?? file.map { .file($0) }
    }

    /// Which servers there are, which is asked, how many connections it took, and when the gateway's token ends.
    var gauges: [Gauge] {
        let servers = servers
        var gauges = servers.map { server in
            Gauge(
                "postern_vault_server_active", "Whether this server of Vault's cluster is the one that is asked.",
                server.isActive ? 1 : 0, labels: ["server": server.address])
        }
        gauges += servers.map { server in
            Gauge(
                "postern_vault_connections_opened", "Connections opened to this server since the start.",
                Double(server.openedConnections), labels: ["server": server.address])
        }
        if let expiresAt = tokenStatus.expiresAt {
            gauges.append(
                Gauge(
                    "postern_vault_token_expiry_seconds", "When the gateway's token for Vault ends (Unix time).",
                    Double(expiresAt.microseconds / 1_000_000)))
        }
        return gauges
    }
}
