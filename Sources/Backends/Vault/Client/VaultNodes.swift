// Which of several servers to ask: the active one, as far as is known.

import NIOCore
import PosternProtocol
import Synchronization

/// What is known of the servers of one cluster.
final class VaultNodes: Sendable {
    /// What a server last said it was (docs: /sys/health).
    enum Role: String, Sendable {
        case unknown
        /// Serves everything.
        case active
        /// Passes requests on to the active one, or says where it is.
        case standby
        /// Reads by itself and passes writes on.
        case performanceStandby = "performance_standby"
        /// Cannot serve until it is unsealed.
        case sealed
        /// Has never been set up.
        case uninitialised
        /// Could not be reached or made no sense.
        case unreachable
    }

    /// A server as health and metrics show it.
    struct Status: Sendable {
        let address: VaultAddress
        var role = Role.unknown
        /// The version that it reports.
        var version: String?
        /// What went wrong, where it is unreachable.
        var problem: String?
        var openedConnections = 0
    }

    private struct Entry {
        let node: VaultNode
        var status: Status
    }

    private struct State {
        var entries: [Entry]
        var checkedAt: ContinuousClock.Instant?
    }

    /// How many servers redirects may lead to beside those that are configured.
    private static let maximumEntries = 16

    private let tls: VaultTLS
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    init(_ options: VaultOptions, group: any EventLoopGroup) throws(SecretError) {
        guard !options.addresses.isEmpty else {
            throw SecretError(.invalidArgument, "No address of Vault is given; set VAULT_ADDR.")
        }
        tls = options.tls
        self.group = group
        var entries: [Entry] = []
        for address in options.addresses {
            entries.append(
                Entry(node: try VaultNode(address, tls: tls, group: group), status: Status(address: address)))
        }
        state = Mutex(State(entries: entries))
    }

    /// The server to ask next: the only one, or the active one. Standbys are not asked: OpenBao's answer reads from what they
    /// have, which during an election may be long out of date.
    func best() -> VaultNode? {
        state.withLock { state in
            if state.entries.count == 1 { return state.entries[0].node }
            return state.entries.first { $0.status.role == .active }?.node
        }
    }

    /// Whether the active server is known.
    var hasActive: Bool { state.withLock { $0.entries.contains { $0.status.role == .active } } }

    /// All servers.
    var all: [VaultNode] { state.withLock { $0.entries.map(\.node) } }

    /// All servers as health and metrics show them.
    var statuses: [Status] {
        state.withLock { state in
            state.entries.map { entry in
                var status = entry.status
                status.openedConnections = entry.node.openedConnections
                return status
            }
        }
    }

    /// Whether it is time to ask which server is the active one.
    func isDue(at now: ContinuousClock.Instant, interval: Duration) -> Bool {
        state.withLock { state in
            guard state.entries.count > 1 else { return false }
            guard state.entries.contains(where: { $0.status.role == .active }), let checkedAt = state.checkedAt else {
                return true
            }
            return checkedAt.duration(to: now) >= interval
        }
    }

    /// All servers have been asked.
    func noteCheck(at now: ContinuousClock.Instant) {
        state.withLock { $0.checkedAt = now }
    }

    /// A server said what it is, or showed that it works.
    func note(_ node: VaultNode, _ role: Role, version: String? = nil, problem: String? = nil) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.node === node }) else { return }
            if role == .active {
                // There is one at a time: whoever else claimed to be it does so no longer.
                for other in state.entries.indices where other != index && state.entries[other].status.role == .active {
                    state.entries[other].status.role = .unknown
                }
            }
            state.entries[index].status.role = role
            state.entries[index].status.problem = problem
            if let version { state.entries[index].status.version = version }
        }
    }

    /// A server answered a request. Where there is only one, it is the one that serves, whatever it is or stands for.
    func noteAnswer(of node: VaultNode) {
        state.withLock { state in
            guard state.entries.count == 1, state.entries[0].node === node else { return }
            state.entries[0].status.role = .active
            state.entries[0].status.problem = nil
        }
    }

    /// What is known of a server.
    func role(of node: VaultNode) -> Role {
        state.withLock { state in state.entries.first { $0.node === node }?.status.role ?? .unknown }
    }

    /// Whether every server is sealed.
    var areAllSealed: Bool { state.withLock { $0.entries.allSatisfy { $0.status.role == .sealed } } }

    /// The server that a redirect leads to. It is trusted with the request's token, so it must be as well verified as the one
    /// that was asked.
    /// - Returns: nil if it is not to be followed.
    func target(of location: String, from node: VaultNode) -> VaultNode? {
        let scheme = location.hasPrefix("https://") ? "https://" : "http://"
        let origin = scheme + location.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        // A location that is no address is one not to follow.
        guard let address = try? VaultAddress(origin), address.isTLS || !node.address.isTLS else { return nil }
        if let known = all.first(where: { $0.address == address }) { return known }
        guard address.isTLS || address.isLoopback, let new = try? VaultNode(address, tls: tls, group: group) else {
            return nil
        }
        return state.withLock { state in
            guard state.entries.count < Self.maximumEntries else { return nil }
            state.entries.append(Entry(node: new, status: Status(address: address)))
            return new
        }
    }
}
