// A cluster of raft nodes with TLS on the loopback, whose nodes can be stopped, killed, sealed and brought back.

public import Foundation
import PosternPKI
import Synchronization
import TestPrograms

/// A raft cluster.
public final class Cluster: Sendable {
    /// One of its nodes.
    public final class Node: Sendable {
        /// Its number, from 0.
        public let index: Int
        /// As VAULT_ADDR has it.
        public let address: String
        let configuration: URL
        let log: URL
        private let current = Mutex<VaultProcess?>(nil)

        init(index: Int, address: String, configuration: URL, log: URL) {
            self.index = index
            self.address = address
            self.configuration = configuration
            self.log = log
        }

        /// The running process.
        public var process: VaultProcess? { current.withLock { $0 } }

        /// Starts it; it is sealed then.
        public func start() throws {
            let new = try VaultProcess(["server", "-config=\(configuration.path)"], log: log)
            current.withLock { $0 = new }
        }

        /// Kills it.
        public func kill() {
            current.withLock { current in
                defer { current = nil }
                return current
            }?.stop()
        }
    }

    /// The nodes.
    public let nodes: [Node]
    /// The folder with `ca.pem` and everything else.
    public let folder: URL
    /// The root token.
    public let rootToken: String
    private let unsealKey: String

    /// The authority's certificate.
    public var authority: String { folder.appending(path: "ca.pem").path }

    /// The API of a node.
    public func api(_ index: Int) -> VaultAPI {
        VaultAPI(address: nodes[index].address, token: rootToken, authority: authority)
    }

    /// Starts a cluster, unsealed, with KV v2 at `secret/`.
    /// - Parameters:
    ///   - count: how many nodes.
    ///   - listener: further lines of each listener's configuration.
    public init(nodes count: Int = 3, listener: String = "") async throws {
        let folder = try makeTemporaryDirectory("cluster")
        self.folder = folder
        let authority = try CertificateAuthority.create(commonName: "Cluster CA")
        let (ca, caKey) = (folder.appending(path: "ca.pem").path, folder.appending(path: "ca.key").path)
        try authority.identity().write(certificateFile: ca, keyFile: caKey)
        let (certificate, key) = (folder.appending(path: "server.pem").path, folder.appending(path: "server.key").path)
        try authority.issueServer(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
            .write(certificateFile: certificate, keyFile: key)
        var nodes: [Node] = []
        let ports = try (0..<count).map { _ in (api: try freePort(), cluster: try freePort()) }
        for index in 0..<count {
            let data = folder.appending(path: "data\(index)")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            let joins = ports.indices.filter { $0 != index }.map { other in
                """
                  retry_join {
                    leader_api_addr     = "https://127.0.0.1:\(ports[other].api)"
                    leader_ca_cert_file = "\(ca)"
                  }
                """
            }
            let text = """
                storage "raft" {
                  path                   = "\(data.path)"
                  node_id                = "node\(index)"
                  performance_multiplier = 1
                \(joins.joined(separator: "\n"))
                }
                listener "tcp" {
                  address         = "127.0.0.1:\(ports[index].api)"
                  cluster_address = "127.0.0.1:\(ports[index].cluster)"
                  tls_cert_file   = "\(certificate)"
                  tls_key_file    = "\(key)"
                \(listener)
                }
                api_addr      = "https://127.0.0.1:\(ports[index].api)"
                cluster_addr  = "https://127.0.0.1:\(ports[index].cluster)"
                disable_mlock = true
                log_level     = "info"

                """
            let configuration = folder.appending(path: "node\(index).hcl")
            try text.write(to: configuration, atomically: true, encoding: .utf8)
            nodes.append(
                Node(
                    index: index, address: "https://127.0.0.1:\(ports[index].api)", configuration: configuration,
                    log: folder.appending(path: "node\(index).log")))
        }
        self.nodes = nodes

        try nodes[0].start()
        let first = VaultAPI(address: nodes[0].address, token: "", authority: ca)
        try await first.eventuallyMust("GET", "sys/seal-status")
        let keys = try await first.must("PUT", "sys/init", #"{"secret_shares":1,"secret_threshold":1}"#)
        unsealKey = try keys.value("keys", as: [String].self)[0]
        rootToken = try keys.value("root_token")
        // New nodes vote after a second of calm rather than ten.
        try await VaultAPI(address: nodes[0].address, token: "", authority: ca)
            .must("PUT", "sys/unseal", #"{"key":"\#(unsealKey)"}"#)
        try await VaultAPI(address: nodes[0].address, token: rootToken, authority: ca).eventuallyMust(
            "POST", "sys/storage/raft/autopilot/configuration", #"{"server_stabilization_time":"1s"}"#)
        for node in nodes.dropFirst() { try node.start() }
        for node in nodes { try await unseal(node) }
        _ = try await leader()
        let api = VaultAPI(address: nodes[0].address, token: rootToken, authority: ca)
        try await api.eventuallyMust("POST", "sys/mounts/secret", #"{"type":"kv","options":{"version":"2"}}"#)
        try await api.eventuallyMust("GET", "secret/config")
        try await eventually("all nodes have joined", within: .seconds(120)) {
            let answer = try await api.call("GET", "sys/storage/raft/configuration")
            let servers: [[String: Any]] = try answer.value("data", "config", "servers")
            return servers.count(where: { $0["voter"] as? Bool == true }) == count
        }
    }

    /// Unseals a node that runs.
    public func unseal(_ node: Node) async throws {
        let api = VaultAPI(address: node.address, token: "", authority: authority)
        try await eventually("node \(node.index) is unsealed", within: .seconds(120)) {
            let status = try await api.call("GET", "sys/seal-status")
            guard status.status == 200, status.json["initialized"] as? Bool == true else {
                // A node that joins may say that it is not initialised until it is given the key.
                _ = try await api.call("PUT", "sys/unseal", #"{"key":"\#(unsealKey)"}"#)
                return false
            }
            if status.json["sealed"] as? Bool == false { return true }
            _ = try await api.call("PUT", "sys/unseal", #"{"key":"\#(unsealKey)"}"#)
            return false
        }
    }

    /// Seals a node.
    public func seal(_ node: Node) async throws {
        try await api(node.index).must("PUT", "sys/seal")
    }

    /// Waits until there is a leader among the nodes that answer.
    /// - Parameter other: a node that must not be it, because it was stopped.
    public func leader(otherThan other: Node? = nil) async throws -> Node {
        var found: Node?
        try await eventually("there is a leader", within: .seconds(120)) {
            for node in nodes where node.process != nil && node !== other {
                let health = try await api(node.index).call("GET", "sys/health")
                if health.status == 200 {
                    found = node
                    return true
                }
            }
            return false
        }
        guard let found else { throw HarnessError(description: "There is no leader.") }
        return found
    }

    /// Stops all nodes.
    public func stop() {
        for node in nodes { node.kill() }
        try? FileManager.default.removeItem(at: folder)
    }

    deinit { stop() }
}
