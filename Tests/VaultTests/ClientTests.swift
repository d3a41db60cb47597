// The client against real servers.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

/// A token that does not change.
struct FixedToken: TokenSource {
    let value: SecretBytes

    init(_ text: String) {
        value = SecretBytes(text)
    }

    func token(deadline: Deadline) async throws(SecretError) -> SecretBytes { value }

    func replacement(for token: SecretBytes, deadline: Deadline) async throws(SecretError) -> SecretBytes? { nil }
}

@Suite struct `The Vault client` {
    @Test func `asks a development server and reads its answer`() async throws {
        let server = try await DevServer.shared
        let mount = try await server.api.makeKV()
        try await server.api.must("POST", "\(mount)/data/a", #"{"data":{"value":"x"}}"#)
        let options = VaultOptions(addresses: [try VaultAddress(server.api.address)])
        let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        let client = VaultClient(
            nodes: nodes, namespace: nil, patience: options.patience, tokens: FixedToken(server.api.token))
        for _ in 0..<20 {
            let answer = try await client.send(.get("\(mount)/data/a"), deadline: .after(.seconds(60)))
            #expect(answer.status == 200)
        }
        #expect(nodes.statuses.map(\.openedConnections) == [1])
        for node in nodes.all { try await node.close() }
    }

    @Test func `finds the active one of three servers`() async throws {
        let cluster = try await Cluster()
        defer { cluster.stop() }
        var options = VaultOptions(addresses: try cluster.nodes.map { try VaultAddress($0.address) })
        options.tls.authorities = cluster.authority
        let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        let client = VaultClient(
            nodes: nodes, namespace: nil, patience: options.patience, tokens: FixedToken(cluster.rootToken))
        let answer = try await client.send(.get("secret/config"), deadline: .after(.seconds(60)))
        #expect(answer.status == 200)
        let leader = try await cluster.leader()
        #expect(answer.node.description == leader.address)
        for node in nodes.all { try await node.close() }
    }

    @Test func `does not blame the caller when a connection closes under a request`() {
        // What the HTTP client makes of a request that meets an HTTP/2 connection on its way out.
        guard case .brokenOff = VaultNode.classify(HTTPClientError.cancelled) else {
            Issue.record("It must be tried again, as after any broken connection.")
            return
        }
    }

    @Test func `ends requests at once when it is closed`() async throws {
        let server = try await DevServer()
        let options = VaultOptions(addresses: [try VaultAddress(server.api.address)])
        let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        let client = VaultClient(
            nodes: nodes, namespace: nil, patience: options.patience, tokens: FixedToken(server.api.token))
        _ = try await client.send(.get("sys/mounts"), deadline: .after(.seconds(300)))
        try await server.process.freeze()
        let pending = Task { () -> SecretError? in
            do throws(VaultFailure) {
                _ = try await client.send(.get("sys/mounts"), deadline: .after(.seconds(3_000)))
                return nil
            } catch {
                return error.error
            }
        }
        for node in nodes.all { try await node.close() }
        #expect(await pending.value?.code == .cancelled)
        server.process.signal(SIGCONT)
    }
}
