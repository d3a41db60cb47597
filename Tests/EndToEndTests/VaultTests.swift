// The gateway in front of a real server: what Vault's own users see, and what outages do.

import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import TestPrograms
import Testing
import VaultServers

/// Lends a cluster.
func withCluster<Value>(nodes: Int, _ body: (Cluster) async throws -> Value) async throws -> Value {
    let cluster = try await Cluster(nodes: nodes)
    defer { cluster.stop() }
    return try await body(cluster)
}

@Suite(.timeLimit(.minutes(10)), .serialized) struct `A gateway in front of Vault` {
    @Test func `what vault kv put stores is read over gRPC and HTTPS, and what Postern stores by vault kv get`()
        async throws
    {
        try await withCluster(nodes: 1) { cluster in
            try await withGateway(.vault(cluster)) { gateway in
                try await cluster.command(["kv", "put", "secret/llm/openai/api_key", "value=sk-from-vault"])
                #expect(
                    try await gateway.client(as: "gateway") { try await $0.value("llm/openai/api_key") }
                        == "sk-from-vault")
                let revealed = try await gateway.admin(
                    "POST", "/admin/api/secrets/llm/openai/api_key:reveal", json: #"{"reason":"a test"}"#)
                #expect(revealed.status == 200, "\(revealed.text)")
                #expect(revealed.text.contains("sk-from-vault"))

                try await gateway.client { _ = try await $0.put("db/main", "from-grpc") }
                let stored = try await gateway.admin(
                    "POST", "/admin/api/secrets", json: #"{"name":"db/other","value":"from-https"}"#)
                #expect(stored.status == 201, "\(stored.text)")
                for (path, value) in [("db/main", "from-grpc"), ("db/other", "from-https")] {
                    let shown = try await cluster.command(["kv", "get", "-field=value", "secret/\(path)"])
                    #expect(shown.text == value)
                }
                let listed = try await gateway.admin("GET", "/admin/api/secrets?recursive=true")
                for path in ["llm/openai/api_key", "db/main", "db/other"] { #expect(listed.text.contains(path)) }
                let deleted = try await gateway.admin("DELETE", "/admin/api/secrets/db/other")
                #expect((200..<300).contains(deleted.status), "\(deleted.text)")
            }
        }
    }

    @Test func `under an envelope Vault has no plaintext, and everything else is the same`() async throws {
        try await withCluster(nodes: 1) { cluster in
            try await cluster.api(0).must("POST", "sys/mounts/transit", #"{"type":"transit"}"#)
            try await cluster.api(0).must("POST", "transit/keys/postern", "{}")
            let settings = GatewaySettings.vault(
                cluster, envelope: true, overrides: ["envelope.keys=transit=transit/postern,file=kek"])
            try await withGateway(settings) { gateway in
                try await gateway.client { _ = try await $0.put("llm/a", "canary-value") }
                let stored = try await cluster.api(0).must("GET", "secret/data/llm/a")
                #expect(!String(decoding: stored.body, as: UTF8.self).contains("canary"))
                #expect(String(decoding: stored.body, as: UTF8.self).contains("postern.envelope"))
                #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/a") } == "canary-value")
                // Either key opens it: without Transit's, the file's does.
                try await cluster.api(0).must("POST", "transit/keys/postern/config", #"{"deletion_allowed":true}"#)
                try await cluster.api(0).must("DELETE", "transit/keys/postern")
                _ = try await gateway.end(by: SIGTERM)
                try await gateway.start()
                #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/a") } == "canary-value")
            }
        }
    }

    @Test(arguments: [SIGSTOP, SIGKILL])
    func `through an outage cached reads go on and say so, others fail in time, and all recovers by itself`(
        signal: Int32
    ) async throws {
        try await withCluster(nodes: 1) { cluster in
            let settings = GatewaySettings.vault(
                cluster, overrides: ["cache.ttl=500ms", "cache.refresh_ahead=100ms", "backend.vault.patience=1s"])
            try await withGateway(settings) { gateway in
                try await gateway.client { client in
                    for path in ["llm/known", "llm/unknown"] { _ = try await client.put(path, "value of \(path)") }
                    _ = try await client.get("llm/known")
                }
                if signal == SIGSTOP { cluster.nodes[0].process?.signal(SIGSTOP) } else { cluster.nodes[0].kill() }

                try await eventually("a cached answer says that it is stale", within: .seconds(60)) {
                    let answer = try await gateway.client(as: "gateway") { try await $0.get("llm/known") }
                    return answer.servedFrom == .stale && answer.ageMs > 0
                }
                // On a machine that is busy enough the client's own clock may be faster than the answer.
                try await eventually("what was not cached fails within its deadline", within: .seconds(120)) {
                    let start = ContinuousClock.now
                    let refused = await #expect(throws: ClientError.self) {
                        try await gateway.client(as: "gateway", timeout: .seconds(3)) {
                            try await $0.get("llm/unknown")
                        }
                    }
                    #expect(start.duration(to: .now) < .seconds(60))
                    return refused?.error.code == .backendUnavailable
                }
                let changed = await #expect(throws: ClientError.self) {
                    try await gateway.client(timeout: .seconds(3)) { _ = try await $0.put("llm/known", "new") }
                }
                #expect([.backendUnavailable, .deadlineExceeded].contains(changed?.error.code))
                let ready = try await gateway.admin("GET", "/readyz")
                #expect(ready.status == 200, "cached reads are still served: \(ready.text)")

                if signal == SIGSTOP {
                    cluster.nodes[0].process?.signal(SIGCONT)
                } else {
                    try cluster.nodes[0].start()
                    try await eventually("a sealed server is told as such", within: .seconds(60)) {
                        do {
                            _ = try await gateway.client(timeout: .seconds(3)) { try await $0.get("llm/unknown") }
                            return false
                        } catch let error as ClientError {
                            return error.error.code == .backendSealed
                        }
                    }
                    try await cluster.unseal(cluster.nodes[0])
                }
                try await eventually("reads are live again", within: .seconds(120)) {
                    do {
                        return try await gateway.client(as: "gateway") { try await $0.value("llm/unknown") }
                            == "value of llm/unknown"
                    } catch is ClientError {
                        return false
                    }
                }
            }
        }
    }

    @Test func `reads and writes go on through a leader's death, and nothing that was acknowledged is lost`()
        async throws
    {
        try await withCluster(nodes: 3) { cluster in
            try await withGateway(.vault(cluster, overrides: ["cache.enabled=false"])) { gateway in
                let leader = try await cluster.leader()
                let acknowledged = try await gateway.client(timeout: .seconds(120)) { client in
                    var acknowledged: [String: String] = [:]
                    for round in 0..<60 {
                        if round == 20 { leader.kill() }
                        let (path, value) = ("llm/\(round % 7)", "round \(round)")
                        let written = try await client.put(path, value)
                        acknowledged[path] = value
                        let read = try await client.get(path)
                        #expect(read.version == written.version.version)
                        #expect(read.fields.first?.value == Data(value.utf8))
                    }
                    return acknowledged
                }
                let successor = try await cluster.leader(otherThan: leader)
                for (path, value) in acknowledged {
                    let stored = try await cluster.api(successor.index).must("GET", "secret/data/\(path)")
                    #expect(try stored.value("data", "data", "value", as: String.self) == value)
                }
                let ready = try await gateway.admin("GET", "/readyz")
                #expect(ready.text.contains(successor.address), "\(ready.text)")
                let metrics = try await gateway.admin("GET", "/metrics").text
                #expect(
                    metrics.contains("postern_vault_server_active{server=\"\(successor.address)\"} 1"), "\(metrics)")
            }
        }
    }

    @Test func `with pass-through a caller's own token decides too, and the record names it without having it`()
        async throws
    {
        try await withCluster(nodes: 1) { cluster in
            let api = cluster.api(0)
            let own = try await api.makeToken(
                policy: #"path "secret/data/llm/*" { capabilities = ["read"] }"#, options: #""ttl":"1h""#)
            let other = try await api.makeToken(
                policy: #"path "secret/data/other/*" { capabilities = ["read"] }"#, options: #""ttl":"1h""#)
            let accessor: String = try await VaultAPI(address: api.address, token: own, authority: api.authority)
                .must("GET", "auth/token/lookup-self").value("data", "accessor")
            let settings = GatewaySettings.vault(
                cluster,
                overrides: ["backend.vault.token_pass_through=optional", "cache.ttl=2s", "cache.refresh_ahead=1s"])
            try await withGateway(settings) { gateway in
                try await gateway.client { _ = try await $0.put("llm/a", "x") }
                try gateway.write(own + "\n", to: "own.token")
                try gateway.write(other + "\n", to: "other.token")
                try gateway.write("hvs.nonsense\n", to: "bad.token")
                func get(_ token: String) async throws -> Finished {
                    try await gateway.command(
                        ["get", "llm/a", "--vault-token-file", gateway.file(token)], as: "gateway")
                }
                for _ in 0..<3 { #expect(try await get("own.token").text == "x") }
                let refused = try await get("other.token")
                #expect(refused.code != 0)
                #expect(refused.errors.contains("permission_denied"), "\(refused.errors)")
                let unknown = try await get("bad.token")
                #expect(unknown.code != 0)

                let records = try gateway.auditRecords().filter { $0.action == "secret.read" }
                let allowed = records.filter { $0.record["detail"]?["vault_accessor"]?.text == accessor }
                #expect(allowed.count == 3)
                #expect(records.contains { $0.outcome == "permission_denied" })
                for token in [own, other, "hvs.nonsense"] {
                    let found = try await run(
                        "grep", ["-r", "-a", "-l", token, gateway.auditDirectory, gateway.file("log")])
                    #expect(found.text.isEmpty, "a token is on disk in \(found.text)")
                }
                // Revoked, it reads nothing more once what was accepted has aged out.
                try await api.must("POST", "auth/token/revoke-accessor", #"{"accessor":"\#(accessor)"}"#)
                try await eventually("the revoked token is refused", within: .seconds(120)) {
                    try await get("own.token").code != 0
                }
            }
        }
    }

    @Test func `a connection that nobody verifies is refused, and the message says what to do`() async throws {
        try await withCluster(nodes: 1) { cluster in
            for (environment, advice) in [
                (["VAULT_ADDR": "http://127.0.0.1:1"], "use https"),
                (["VAULT_SKIP_VERIFY": "true"], "VAULT_CACERT"),
            ] {
                var settings = GatewaySettings.vault(cluster)
                settings.environment.merge(environment) { $1 }
                let gateway = try GatewayUnderTest(settings)
                let refused = try await run(
                    try Places.postern(),
                    ["serve", "--config", gateway.file("postern.yaml")] + settings.overrides.flatMap { ["--set", $0] },
                    environment: settings.environment.merging(["ADMIN_KEY": "x"]) { $1 })
                #expect(refused.code == 78)
                #expect(refused.errors.contains(advice), "\(refused.errors)")
                await gateway.remove()
            }
            // A certificate of another authority: the gateway starts, but Vault is not there for it.
            var settings = GatewaySettings.vault(cluster)
            let stranger = try GatewayUnderTest(settings)
            settings.environment["VAULT_CACERT"] = stranger.pki.file("ca.pem")
            try await withGateway(settings) { gateway in
                let refused = await #expect(throws: ClientError.self) {
                    try await gateway.client(timeout: .seconds(3)) { try await $0.get("llm/a") }
                }
                #expect(refused?.error.code == .backendUnavailable)
                let ready = try await gateway.admin("GET", "/readyz").text
                #expect(ready.contains("TLS"), "\(ready)")
            }
            await stranger.remove()
        }
    }
}
