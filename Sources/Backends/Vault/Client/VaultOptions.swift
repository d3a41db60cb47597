// How to reach Vault.

import PosternProtocol

/// How to reach Vault or OpenBao.
public struct VaultOptions: Sendable {
    /// The servers of one cluster, at least one.
    public var addresses: [VaultAddress]
    /// The namespace that everything is in, or nil for the root (`VAULT_NAMESPACE`).
    public var namespace: String?
    /// How connections are verified.
    public var tls = VaultTLS()
    /// For how long calls wait for servers that cannot be reached to come back, as in a leader's failover. Once an outage has
    /// lasted longer, calls fail at once, and only now and then is one let through to look.
    public var patience: Duration = .seconds(15)

    /// Options with the defaults.
    /// - Parameter addresses: the servers of one cluster, at least one.
    public init(addresses: [VaultAddress]) {
        self.addresses = addresses
    }
}
