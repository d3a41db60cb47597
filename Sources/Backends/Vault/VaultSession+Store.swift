// What a session gives the composition root: the secrets of a mount, and its servers for metrics.

public import PosternProtocol

extension VaultSession {
    /// The secrets in a KV version 2 mount.
    /// - Parameters:
    ///   - mount: where it is mounted, as in `secret` or `team/kv`.
    ///   - clock: tells which versions are past their time.
    public func store(mount: String, clock: any WallClock = SystemWallClock()) -> VaultBackend {
        VaultBackend(client: client, mount: mount, clock: clock, tokens: tokens)
    }

    /// A server of the cluster, for metrics.
    public struct Server: Sendable {
        /// Its address.
        public let address: String
        /// Whether it is the one that is asked.
        public let isActive: Bool
        /// Connections opened to it since the start.
        public let openedConnections: Int
    }

    /// The servers, as last seen.
    public var servers: [Server] {
        nodes.statuses.map {
            Server(
                address: $0.address.description, isActive: $0.role == .active, openedConnections: $0.openedConnections)
        }
    }
}
