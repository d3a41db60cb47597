// The client through failovers and outages of a real cluster of three servers.

import Foundation
import NIOCore
import NIOPosix
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

/// A client of a cluster, and short words for asking it.
private struct Subject {
    let client: VaultClient
    let nodes: VaultNodes

    init(_ cluster: Cluster, patience: Duration = .seconds(60)) throws {
        var options = VaultOptions(addresses: try cluster.nodes.map { try VaultAddress($0.address) })
        options.tls.authorities = cluster.authority
        nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        client = VaultClient(
            nodes: nodes, namespace: nil, patience: patience, tokens: FixedToken(cluster.rootToken))
    }

    @discardableResult
    func read(within limit: Duration = .seconds(120)) async throws -> VaultAnswer {
        let answer = try await client.send(.get("secret/data/a"), deadline: .after(limit))
        try #require(answer.status == 200)
        return answer
    }

    func write(_ value: String) async throws -> VaultAnswer {
        let body = ByteBuffer(string: #"{"data":{"value":"\#(value)"}}"#)
        return try await client.send(
            .post("secret/data/a", body, isRepeatable: true), deadline: .after(.seconds(120)))
    }

    /// What a read fails with.
    func failure(within limit: Duration) async throws -> SecretError {
        let start = ContinuousClock.now
        do {
            _ = try await client.send(.get("secret/data/a"), deadline: .after(limit))
        } catch {
            try #require(start.duration(to: .now) <= limit + .seconds(1), "it took longer than its deadline")
            return error.error
        }
        throw HarnessError(description: "The read was answered.")
    }

    func close() async throws {
        for node in nodes.all { try await node.close() }
    }
}

/// How a leader goes away.
enum Departure: String, CaseIterable {
    case killed, stopped, sealed, steppedDown
}

@Suite(.serialized) struct `The client and a cluster of three` {
    @Test(arguments: Departure.allCases)
    func `reads go on when the leader goes, and none fails`(departure: Departure) async throws {
        let cluster = try await Cluster()
        defer { cluster.stop() }
        let subject = try Subject(cluster)
        _ = try await subject.write("x")
        let leader = try await cluster.leader()
        #expect(try await subject.read().node.description == leader.address)

        // Readers that never stop: whatever they are refused, the test fails.
        let done = Task.detached { try await Task.sleep(for: .seconds(600)) }
        let readers = (0..<8).map { _ in
            Task {
                var count = 0
                while !done.isCancelled {
                    try await subject.read()
                    count += 1
                }
                return count
            }
        }
        switch departure {
        case .killed: leader.kill()
        case .stopped: leader.process?.signal(SIGSTOP)
        case .sealed: try await cluster.seal(leader)
        case .steppedDown: try await cluster.api(leader.index).must("PUT", "sys/step-down")
        }
        // After a step-down the same server may win the next election.
        let successor = try await cluster.leader(otherThan: departure == .steppedDown ? nil : leader)
        try await eventually("another server answers", within: .seconds(120)) {
            try await subject.read().node.description == successor.address
        }
        done.cancel()
        for reader in readers { #expect(try await reader.value > 0) }
        try await subject.close()
    }

    @Test func `what was just written is read, whichever server is asked`() async throws {
        let cluster = try await Cluster()
        defer { cluster.stop() }
        let leader = try await cluster.leader()
        for node in cluster.nodes where node !== leader {
            var options = VaultOptions(addresses: [try VaultAddress(node.address)])
            options.tls.authorities = cluster.authority
            let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
            let client = VaultClient(
                nodes: nodes, namespace: nil, patience: .seconds(60), tokens: FixedToken(cluster.rootToken))
            for round in 0..<20 {
                let body = ByteBuffer(string: #"{"data":{"value":"\#(round)"}}"#)
                let path = "secret/data/fresh\(node.index)"
                _ = try await client.send(.post(path, body, isRepeatable: true), deadline: .after(.seconds(60)))
                let read = try await client.send(.get(path), deadline: .after(.seconds(60)))
                #expect(String(buffer: read.body).contains(#"{"value":"\#(round)"}"#))
            }
            for node in nodes.all { try await node.close() }
        }
    }

    @Test func `killed, sealed, brought back: each is told in time, and all recovers by itself`() async throws {
        let cluster = try await Cluster()
        defer { cluster.stop() }
        let subject = try Subject(cluster, patience: .seconds(2))
        _ = try await subject.write("x")

        for node in cluster.nodes { node.kill() }
        #expect(try await subject.failure(within: .seconds(1)).code == .backendUnavailable)
        // Once the outage is longer than the patience, nobody waits for it any more.
        try await eventually("calls are refused at once", within: .seconds(60)) {
            let start = ContinuousClock.now
            let error = try await subject.failure(within: .seconds(20))
            #expect(error.code == .backendUnavailable)
            return start.duration(to: .now) < .seconds(5)
        }
        // A server comes up sealed.
        for node in cluster.nodes { try node.start() }
        try await eventually("all are known to be sealed", within: .seconds(120)) {
            try await subject.failure(within: .seconds(5)).code == .backendSealed
        }
        for node in cluster.nodes { try await cluster.unseal(node) }
        try await eventually("reads are answered again", within: .seconds(120)) {
            do {
                return try await subject.client.send(.get("secret/data/a"), deadline: .after(.seconds(5))).status == 200
            } catch {
                return false
            }
        }
        try await subject.close()
    }

    @Test func `a stopped server costs a call no more than its deadline`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        let subject = try Subject(cluster)
        _ = try await subject.write("x")
        cluster.nodes[0].process?.signal(SIGSTOP)
        #expect(try await subject.failure(within: .seconds(1)).code == .backendUnavailable)
        let cancelled = Task { try await subject.read() }
        cancelled.cancel()
        await #expect(throws: VaultFailure.self) { try await cancelled.value }
        cluster.nodes[0].process?.signal(SIGCONT)
        try await subject.read()
        try await subject.close()
    }
}
