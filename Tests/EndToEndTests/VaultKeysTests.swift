// Managing keys where the store and a key-encryption key are in a real Vault, with the rights that init-vault.sh gives.

import Foundation
import PosternClient
import PosternProtocol
import Synchronization
import TestPrograms
import Testing
import VaultServers

extension Cluster {
    /// Prepares the cluster as its users do, and returns the token that the script made for Postern.
    fileprivate func prepare() async throws -> String {
        let done = try await mustRun(
            "bash", [Places.package.appending(path: "init-vault.sh").path, "--token"],
            environment: ["VAULT_ADDR": nodes[0].address, "VAULT_TOKEN": rootToken, "VAULT_CACERT": authority])
        let token = done.text.split(separator: "\n").compactMap { line -> String? in
            guard let range = line.range(of: "VAULT_TOKEN=") else { return nil }
            return line[range.upperBound...].trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
        }
        return try #require(token.first, "\(done.text)")
    }

    /// A gateway with secrets in this cluster, and keys in it and in a file.
    fileprivate func settings(token: String, overrides: [String] = []) -> GatewaySettings {
        var settings = GatewaySettings.vault(
            nodes.map(\.address), token: token, authority: authority, envelope: true,
            overrides: ["envelope.keys=transit=transit/postern,file=\(folder.path)/kek"] + overrides)
        settings.policy = GatewaySettings.keyPolicy
        return settings
    }
}

/// Somebody who goes on writing secrets, and remembers which writes were acknowledged.
private final class Writer: Sendable {
    private let state: Mutex<(values: [String], isOver: Bool)>

    init(count: Int) { state = Mutex(((0..<count).map { "v\($0)" }, false)) }

    /// What each secret must hold.
    var acknowledged: [String] { state.withLock { $0.values } }

    func stop() { state.withLock { $0.isOver = true } }

    /// Writes until it is stopped.
    /// - Returns: how often.
    func run(through gateway: GatewayUnderTest) async throws -> Int {
        var done = 0
        while !state.withLock({ $0.isOver }) {
            let index = done * 7 % acknowledged.count
            try await gateway.put("llm/s\(index)", "w\(done)")
            state.withLock { $0.values[index] = "w\(done)" }
            done += 1
        }
        return done
    }
}

@Suite(.timeLimit(.minutes(10)), .serialized) struct `Keys of a gateway in front of Vault` {
    @Test func `are rotated, re-wrapped, retired and shredded with the rights that init-vault.sh gives`() async throws {
        try await withCluster(nodes: 1) { cluster in
            let settings = cluster.settings(
                token: try await cluster.prepare(), overrides: ["envelope.key_cache=0s", "cache.enabled=false"])
            let gateway = try GatewayUnderTest(settings)
            try await gateway.addSecondKey()
            try await withGateway(started: gateway) { gateway in
                for index in 0..<5 { try await gateway.put("llm/s\(index)", "v\(index)") }
                try await gateway.put("db/main", "kept")

                // Transit's own key gets a new version, and old ones are shut out once everything is wrapped anew.
                try await cluster.api(0).must("POST", "transit/keys/postern/rotate")
                #expect(try await gateway.keysJSON(["rewrap"])["changed"]?.number == 2)
                try await cluster.api(0).must("POST", "transit/keys/postern/config", #"{"min_decryption_version":2}"#)
                let verified = try await gateway.keys(["verify"])
                #expect(verified.code == 0, "\(verified.text)\(verified.errors)")

                #expect(try await gateway.keysJSON(["rotate", "llm"])["current"]?.number == 2)
                #expect(try await gateway.keys(["retire", "llm", "1"]).code == 6, "secrets are under it")
                let moved = try await gateway.keysJSON(["reencrypt", "llm", "--rate", "0", "--destroy-old"])
                #expect(moved["changed"]?.number == 5)
                let retired = try await gateway.keys(["retire", "llm", "1"])
                #expect(retired.code == 0, "\(retired.errors)")
                for index in 0..<5 { #expect(try await gateway.reveal("llm/s\(index)") == "v\(index)") }

                #expect(try await gateway.keys(["destroy", "llm", "--confirm", "llm"]).code == 0)
                let approved = try await gateway.keys(["approve", "llm"], key: secondKey)
                #expect(approved.code == 0, "\(approved.errors)")
                let shredded = try await gateway.admin(
                    "POST", "/admin/api/secrets/llm/s0:reveal", json: #"{"reason":"test"}"#)
                #expect(try shredded.code() == "integrity_failure", "\(shredded.text)")
                #expect(try await gateway.reveal("db/main") == "kept", "other domains are not touched")
            }
        }
    }

    @Test func `are moved by two gateways under load, though the one at work is killed, and no write is lost`()
        async throws
    {
        try await withCluster(nodes: 1) { cluster in
            let settings = cluster.settings(
                token: try await cluster.prepare(), overrides: ["envelope.key_cache=0s", "cache.enabled=false"])
            try await withGateway(settings) { first in
                let count = 80
                let writer = Writer(count: count)
                for index in 0..<count { try await first.put("llm/s\(index)", "v\(index)") }
                try await withGateway(settings) { second in
                    #expect(try await first.keys(["rotate", "llm"]).code == 0)
                    let started = try await first.keys(["reencrypt", "llm", "--rate", "10", "--no-wait"])
                    #expect(started.code == 0, "\(started.errors)")
                    try await eventually("the job is under way") {
                        try await second.newestJob()?["seen"]?.number ?? 0 >= 5
                    }
                    // Somebody writes through the other gateway all the while, over secrets moved and not yet moved.
                    async let written = writer.run(through: second)
                    _ = try await first.end(by: SIGKILL)
                    try await eventually("the other gateway ends the job", within: .seconds(300)) {
                        try await second.newestJob()?["state"]?.text != "running"
                    }
                    writer.stop()
                    #expect(try await written > 0)
                    let job = try await second.newestJob()
                    #expect(job?["state"]?.text == "done", "\(String(describing: job))")
                    for (index, value) in writer.acknowledged.enumerated() {
                        #expect(try await second.reveal("llm/s\(index)") == value)
                    }
                    let again = try await second.keysJSON(["reencrypt", "llm", "--rate", "0"])
                    #expect(again["up_to_date"]?.number == count, "whoever wrote after the rotation used the new key")
                }
            }
        }
    }
}
