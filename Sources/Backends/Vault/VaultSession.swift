// One Vault cluster and the gateway's login there: what the secret store and Transit are made on.

public import Logging
public import NIOCore
public import PosternProtocol

/// The gateway at one Vault cluster: its servers, and a token of its own that is kept good.
public final class VaultSession: Sendable {
    let nodes: VaultNodes
    let tokens: TokenKeeper
    /// Asks with the gateway's own token.
    let client: VaultClient

    /// Makes a session. Connects and logs in when that is first needed.
    /// - Parameters:
    ///   - options: how to reach Vault.
    ///   - authentication: how to log in.
    ///   - group: runs the connections.
    ///   - logger: told of logins and failures; never of tokens.
    /// - Throws: `invalid_argument` saying what is wrong with the options.
    public convenience init(
        _ options: VaultOptions, authentication: VaultAuthentication, group: any EventLoopGroup, logger: Logger
    ) throws(SecretError) {
        try self.init(options, try authentication.method(options), timing: TokenTiming(), group: group, logger: logger)
    }

    init(
        _ options: VaultOptions, _ method: any LoginMethod, timing: TokenTiming, group: any EventLoopGroup,
        logger: Logger
    ) throws(SecretError) {
        nodes = try VaultNodes(options, group: group)
        // Logins have a client, and so an outage gate, of their own: see `TokenKeeper`.
        let login = VaultClient(
            nodes: nodes, namespace: options.namespace, patience: options.patience, tokens: NoToken())
        tokens = TokenKeeper(method, vault: login, timing: timing, logger: logger)
        client = VaultClient(nodes: nodes, namespace: options.namespace, patience: options.patience, tokens: tokens)
    }

    /// What is known of the gateway's token, for health and metrics.
    public var tokenStatus: VaultTokenStatus { tokens.status }

    /// Ends the session: revokes the token if it was made for this gateway, and closes the connections.
    public func close() async {
        await tokens.close()
        for node in nodes.all {
            // What fails to close is closed already.
            try? await node.close()
        }
    }
}
