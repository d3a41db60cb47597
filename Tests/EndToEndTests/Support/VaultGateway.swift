// Gateways in front of a real Vault or OpenBao.

import Foundation
import TestPrograms
import VaultServers

extension GatewaySettings {
    /// A gateway whose store is a Vault, plain as `vault kv` sees it unless an envelope is asked for.
    /// - Parameters:
    ///   - addresses: its servers.
    ///   - token: the gateway's token.
    ///   - authority: the authority of the servers' certificates.
    ///   - overrides: configuration values, KEY=VALUE.
    static func vault(
        _ addresses: [String], token: String, authority: String, mount: String = "secret", envelope: Bool = false,
        overrides: [String] = []
    ) -> GatewaySettings {
        var settings = GatewaySettings()
        settings.overrides =
            ["backend.kind=vault", "backend.vault.mount=\(mount)", "envelope.enabled=\(envelope)"] + overrides
        settings.environment = [
            "VAULT_ADDR": addresses.joined(separator: ","), "VAULT_TOKEN": token, "VAULT_CACERT": authority,
        ]
        return settings
    }

    /// A gateway in front of a cluster, with a token that may do what init-vault.sh allows Postern.
    static func vault(_ cluster: Cluster, envelope: Bool = false, overrides: [String] = []) -> GatewaySettings {
        vault(
            cluster.nodes.map(\.address), token: cluster.rootToken, authority: cluster.authority, envelope: envelope,
            overrides: overrides)
    }
}

extension Cluster {
    /// Runs `bao` or `vault` against the first node, as its users do.
    @discardableResult
    func command(_ arguments: [String], token: String? = nil) async throws -> Finished {
        let (address, token) = (nodes[0].address, token ?? rootToken)
        return try await mustRun(
            try VaultProcess.binary(), arguments,
            environment: [
                "BAO_ADDR": address, "BAO_TOKEN": token, "BAO_CACERT": authority, "VAULT_ADDR": address,
                "VAULT_TOKEN": token, "VAULT_CACERT": authority, "HOME": folder.path,
            ])
    }
}
