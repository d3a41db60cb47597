import Foundation
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import NIOSSL
import PosternProtocol
import ServiceLifecycle
import Synchronization
import Testing

@testable import PosternHTTP

/// Runs a server on a free port while a test talks to it, then shuts it down gracefully.
private func withServer(
    _ configure: (inout AdminConfiguration) -> Void = { _ in },
    tls: @escaping @Sendable () -> NIOSSLContext = { TestCertificate.shared.context },
    _ body: (Stack, Int) async throws -> Void
) async throws {
    let (addresses, continuation) = AsyncStream<AdminServer.Address>.makeStream()
    let stack = try Stack(configure, tls: tls, onListening: { continuation.yield($0) })
    let group = ServiceGroup(configuration: .init(services: [stack.server], logger: stack.logs.logger()))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { continuation.finish() }
            try await group.run()
        }
        let address = await addresses.first { _ in true }
        do {
            try await body(stack, try #require(address).port)
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// What the server writes to a connection on which `input` is sent and nothing more, until it closes it.
private func rawExchange(_ port: Int, _ input: String) async throws -> String {
    try await tool(
        "/usr/bin/openssl", ["s_client", "-quiet", "-connect", "localhost:\(port)", "-servername", "localhost"],
        input: input)
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct `The server over TLS` {
    @Test func `answers a real client`() async throws {
        try await withServer { stack, port in
            let arguments = [
                "-sk", "-H", "Authorization: Bearer \(Stack.adminKey)", "-H", "Content-Type: application/json",
            ]
            let url = "https://localhost:\(port)/admin/api/secrets"
            let written = try await tool(
                "/usr/bin/curl", arguments + ["-d", #"{"name":"app/a","value":"over the wire"}"#, url])
            #expect(written.contains(#""version":1"#))
            let revealed = try await tool(
                "/usr/bin/curl", arguments + ["-d", #"{"reason":"test"}"#, url + "/app/a:reveal"])
            #expect(revealed.contains(#""value":"over the wire""#))
            let records = try stack.records()
            let actor = try #require(records.last?["actor"] as? [String: Any])
            #expect((actor["address"] as? String).map { ["127.0.0.1", "::1"].contains($0) } == true)
            let traversal = try await tool(
                "/usr/bin/curl", arguments + ["--path-as-is", url + "/app/../a"])
            #expect(traversal.contains("invalid_argument"))
        }
    }

    @Test func `takes a new certificate without a restart`() async throws {
        let isReplaced = Mutex(false)
        try await withServer(tls: {
            isReplaced.withLock { $0 } ? TestCertificate.other.context : TestCertificate.shared.context
        }) { _, port in
            func subject() async throws -> String {
                try await tool("/usr/bin/openssl", ["s_client", "-connect", "localhost:\(port)"])
            }
            let before = try await subject()
            isReplaced.withLock { $0 = true }
            let after = try await subject()
            #expect(before.contains("CN = first"))
            #expect(after.contains("CN = second"))
        }
    }

    @Test func `cuts off a body that does not come`() async throws {
        try await withServer({ $0.requestTimeout = .milliseconds(300) }) { _, port in
            let answer = try await rawExchange(
                port,
                "POST /admin/api/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "X-Admin-Key: \(Stack.adminKey)\r\nContent-Length: 100\r\n\r\n{\"name\":")
            #expect(answer.contains("HTTP/1.1 408"))
            #expect(answer.lowercased().contains("connection: close"))
        }
    }

    @Test func `does not go on reading the body of a request that it has refused`() async throws {
        try await withServer { _, port in
            let answer = try await rawExchange(
                port,
                "POST /admin/api/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: 1000000\r\n\r\n{\"name\":")
            #expect(answer.contains("HTTP/1.1 401"))
        }
    }

    @Test(arguments: ["", "GET /healthz HTTP/1.1\r\nHost: loc"])
    func `closes a connection that does not send a whole header`(input: String) async throws {
        try await withServer({ $0.idleTimeout = .milliseconds(300) }) { _, port in
            let answer = try await rawExchange(port, input)
            #expect(answer == "")
        }
    }

    @Test func `refuses a header that is too large, and goes on`() async throws {
        try await withServer({ $0.maximumHeaderBytes = 2_048 }) { _, port in
            let long = String(repeating: "x", count: 10_000)
            let answer = try await rawExchange(
                port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: \(long)\r\n\r\n")
            #expect(answer.contains("HTTP/1.1 400"))
            let next = try await tool("/usr/bin/curl", ["-sk", "https://localhost:\(port)/healthz"])
            #expect(next.contains("true"))
        }
    }

    @Test func `goes on after bytes that are not TLS and not HTTP`() async throws {
        try await withServer { _, port in
            _ = try await tool(
                "/usr/bin/curl", ["-s", "--http0.9", "--max-time", "5", "http://localhost:\(port)/healthz"])
            _ = try await rawExchange(port, "\u{0}\u{1}garbage\r\n\r\n")
            let next = try await tool("/usr/bin/curl", ["-sk", "https://localhost:\(port)/healthz"])
            #expect(next.contains("true"))
        }
    }
}

@Suite struct `The guard of exchanges` {
    private let head = HTTPRequestPart.head(
        HTTPRequest(method: .get, scheme: "https", authority: "localhost", path: "/"))

    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: ExchangeGuard(limit: .seconds(10)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func answer(_ channel: EmbeddedChannel, _ headers: HTTPFields = [:]) throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok, headerFields: headers)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    @Test func `ends a connection whose exchange takes too long`() throws {
        let channel = try channel()
        try channel.writeInbound(head)
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func `lets a connection live between exchanges`() throws {
        let channel = try channel()
        for _ in 0..<3 {
            try channel.writeInbound(head)
            try answer(channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(60))
            #expect(channel.isActive)
        }
    }

    @Test func `gives a pipelined request its own time`() throws {
        let channel = try channel()
        try channel.writeInbound(head)
        try channel.writeInbound(head)
        channel.embeddedEventLoop.advanceTime(by: .seconds(8))
        try answer(channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(8))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    @Test func `ends a connection after an answer that says so`() throws {
        let channel = try channel()
        try channel.writeInbound(head)
        try answer(channel, [.connection: "close"])
        #expect(!channel.isActive)
    }
}
