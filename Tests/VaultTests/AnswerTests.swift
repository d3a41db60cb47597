// What the client makes of answers: redirects, refusals, nonsense; and the gate in front of an outage.

import NIOCore
import NIOPosix
import PosternCoding
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

/// A client of one address.
private func client(_ address: String, patience: Duration = .seconds(60)) throws -> VaultClient {
    let options = VaultOptions(addresses: [try VaultAddress(address)])
    return VaultClient(
        nodes: try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton), namespace: nil,
        patience: patience, tokens: FixedToken("root"))
}

private func http(_ status: String, _ body: String = "", headers: String = "") -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

@Suite struct `Answers of Vault` {
    @Test func `a redirect is followed to the server that it names, with the request as it was`() async throws {
        let real = try await DevServer.shared
        let mount = try await real.api.makeKV()
        let standby = try await CannedServer(
            http("307 Temporary Redirect", headers: "Location: \(real.api.address)/v1/\(mount)/data/a\r\n"))
        let client = try client(standby.address)
        let body = ByteBuffer(string: #"{"options":{"cas":0},"data":{"value":"x"}}"#)
        let answer = try await client.send(
            .post("\(mount)/data/a", body, isRepeatable: false), deadline: .after(.seconds(60)))
        #expect(answer.status == 200)
        #expect(answer.node.description == real.api.address)
        let read = try await client.send(.get("\(mount)/data/a"), deadline: .after(.seconds(60)))
        #expect(read.node.description == real.api.address, "the active server is remembered")
        #expect(standby.requests.count { $0.contains("/data/") } == 1)
        try await standby.stop()
    }

    @Test(arguments: [
        "Location: http://vault.test:8200/v1/x\r\n", "Location: /v1/x\r\n", "Location: ftp://127.0.0.1/x\r\n", "",
        "Location: http://user@127.0.0.1:1/v1/x\r\n",
    ])
    func `a redirect that would show the token to who knows whom is not followed`(location: String) async throws {
        let server = try await CannedServer(http("307 Temporary Redirect", headers: location))
        let client = try client(server.address)
        let failure = await #expect(throws: VaultFailure.self) {
            try await client.send(.get("secret/data/a"), deadline: .after(.seconds(4)))
        }
        #expect(failure?.error.code == .backendUnavailable)
        #expect(failure?.error.message.contains("not followed") == true, "\(failure?.error.message ?? "")")
        try await server.stop()
    }

    @Test func `from https a redirect to http is not followed, not even on this machine`() throws {
        let options = VaultOptions(addresses: [try VaultAddress("https://127.0.0.1:8200")])
        let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        let node = try #require(nodes.all.first)
        #expect(nodes.target(of: "http://127.0.0.1:8200/v1/x", from: node) == nil)
        #expect(nodes.target(of: "https://127.0.0.1:8201/v1/x", from: node) != nil)
    }

    @Test func `servers that redirect in a circle are given up at once`() async throws {
        let server = try await CannedServer(
            http("307 Temporary Redirect", headers: "Location: \(CannedServer.ownAddress)/v1/x\r\n"))
        let failure = await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(.get("x"), deadline: .after(.seconds(120)))
        }
        #expect(failure?.error.code == .backendUnavailable)
        #expect(failure?.error.message.contains("endlessly") == true)
        #expect(server.requests.count <= 4)
        try await server.stop()
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":", "", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n0123456789",
    ])
    func `nonsense and half answers are an outage that is told in time`(answer: String) async throws {
        let server = try await CannedServer(answer)
        let failure = await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(.get("secret/data/a"), deadline: .after(.seconds(2)))
        }
        #expect(failure?.error.code == .backendUnavailable, "\(failure?.error.message ?? "")")
        try await server.stop()
    }

    @Test(arguments: ["500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout"])
    func `what cannot be repeated is sent once, and may have happened`(status: String) async throws {
        let server = try await CannedServer(http(status, #"{"errors":["no"]}"#))
        let failure = await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(
                .post("secret/data/a", ByteBuffer(string: "{}"), isRepeatable: false), deadline: .after(.seconds(2)))
        }
        #expect(failure?.mayHaveHappened == true)
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test func `what can be repeated is, until the time is nearly up`() async throws {
        let server = try await CannedServer(http("500 Internal Server Error", #"{"errors":["no"]}"#))
        await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(.get("secret/data/a"), deadline: .after(.seconds(2)))
        }
        #expect(server.requests.count > 2)
        try await server.stop()
    }

    @Test func `a sealed server is told as such, without waiting`() async throws {
        let server = try await CannedServer(http("503 Service Unavailable", #"{"errors":["Vault is sealed"]}"#))
        let failure = await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(.get("secret/data/a"), deadline: .after(.seconds(120)))
        }
        #expect(failure?.error.code == .backendSealed)
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test func `a rate limit is told as such`() async throws {
        let server = try await CannedServer(http("429 Too Many Requests", #"{"errors":["slow down"]}"#))
        let failure = await #expect(throws: VaultFailure.self) {
            try await client(server.address).send(.get("secret/data/a"), deadline: .after(.seconds(4)))
        }
        #expect(failure?.error.code == .rateLimited)
        try await server.stop()
    }

    @Test func `a page that is no JSON is an error that names the server, and none of the page`() async throws {
        let server = try await CannedServer(http("200 OK", "<html>canary</html>"))
        let answer = try await client(server.address).send(.get("secret/data/a"), deadline: .after(.seconds(20)))
        let error = #expect(throws: SecretError.self) { try answer.read { _, _ in } }
        #expect(error?.code == .backendUnavailable)
        #expect(error?.message.contains(server.address) == true)
        #expect(error?.message.contains("canary") == false)
        try await server.stop()
    }
}

@Suite struct `The gate in front of an outage` {
    private let start = ContinuousClock.now

    private func failing(_ gate: OutageGate, times: Int, at offset: Duration = .zero) {
        for _ in 0..<times { gate.failed(at: start + offset, jitter: 1) }
    }

    @Test func `a few failures close nothing`() {
        let gate = OutageGate(patience: .seconds(10))
        failing(gate, times: OutageGate.threshold - 1)
        #expect(gate.admit(at: start, jitter: 1) == .pass)
        #expect(gate.outageSince == nil)
    }

    @Test func `in an outage one attempt passes an interval, and the others wait for it`() {
        let gate = OutageGate(patience: .seconds(10))
        failing(gate, times: OutageGate.threshold)
        let next = start + OutageGate.firstInterval
        #expect(gate.admit(at: start, jitter: 1) == .wait(until: next))
        #expect(gate.admit(at: next, jitter: 1) == .pass)
        #expect(gate.admit(at: next, jitter: 1) == .wait(until: next + OutageGate.firstInterval))
    }

    @Test func `an outage longer than the patience refuses at once, but still lets one look an interval`() {
        let gate = OutageGate(patience: .seconds(10))
        failing(gate, times: OutageGate.threshold)
        failing(gate, times: 20, at: .seconds(11))
        #expect(gate.admit(at: start + .milliseconds(11_001), jitter: 1) == .refuse)
        let later = start + .seconds(11) + OutageGate.longestInterval
        #expect(gate.admit(at: later, jitter: 1) == .pass)
        #expect(gate.admit(at: later, jitter: 1) == .refuse)
    }

    @Test func `an answer opens it for all`() {
        let gate = OutageGate(patience: .zero)
        failing(gate, times: 50)
        #expect(gate.admit(at: start, jitter: 1) == .refuse)
        gate.succeeded()
        #expect(gate.admit(at: start, jitter: 1) == .pass)
        #expect(gate.outageSince == nil)
    }
}

@Suite struct `Addresses and indexes` {
    @Test(arguments: [
        ("https://vault.test", "https://vault.test:443"), ("http://127.0.0.1:8200/", "http://127.0.0.1:8200"),
        ("https://[::1]:8200", "https://[::1]:8200"),
    ])
    func `an address is read as it is written`(text: String, shown: String) throws {
        #expect(try VaultAddress(text).description == shown)
    }

    @Test(arguments: [
        "", "vault.test", "ftp://a", "https://", "https://a:0", "https://a:99999", "https://a/v1", "https://u@a",
        "https://a b",
        "https://[::1", "https://a:",
    ])
    func `what is no address is refused`(text: String) {
        #expect(throws: SecretError.self) { try VaultAddress(text) }
    }

    @Test func `the newest index wins, whatever order answers come in`() {
        let index = ReplicationIndex()
        func header(_ value: String) -> String {
            var buffer = ByteBuffer()
            SecretBytes(#"{"cluster":"c","value":"\#(value)"}"#).withUnsafeBytes { Base64.append($0, to: &buffer) }
            return String(buffer: buffer)
        }
        index.note(header("9"))
        index.note(header("10"))
        index.note(header("8"))
        #expect(index.header == header("10"))
        index.note("opaque")
        #expect(index.header == "opaque")
        index.forget()
        #expect(index.header == nil)
    }
}
