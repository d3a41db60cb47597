// The gateway's token as health and operators see it.

public import PosternProtocol

/// What is known of the gateway's own token for Vault. Never the token itself.
public struct VaultTokenStatus: Sendable, Equatable {
    /// How the gateway logs in, as in `AppRole at auth/approle`.
    public let method: String
    /// Whether there is a token that is taken to be alive.
    public let isUsable: Bool
    /// The token's accessor, by which administrators can look it up or revoke it.
    public let accessor: String?
    /// When the token ends unless it is renewed or replaced; nil if it does not end, or there is none.
    public let expiresAt: Timestamp?
    /// What somebody has to do before the token ends, if the gateway cannot help itself.
    public let warning: String?
    /// What went wrong last, if it is not better since.
    public let lastError: String?
}
