// A TCP proxy between a client and a server, which fails on command: at which point is what tests want to decide.

import NIOCore
import NIOPosix
import Synchronization
import TestPrograms

/// A TCP proxy on the loopback that forwards to one server.
///
/// It knows nothing of HTTP or TLS. What a client sends until the server answers is one exchange, which is right for HTTP/1.1
/// without pipelining; of TLS, each handshake is an exchange too.
public final class UnreliableProxy: Sendable {
    /// What becomes of one exchange.
    public enum Fault: Sendable {
        /// It is forwarded.
        case none
        /// The connection is cut before anything has reached the server.
        case cutBeforeRequest
        /// The connection is cut once the server has answered; the client sees nothing of the answer.
        case cutBeforeAnswer
        /// Half of the answer's first piece arrives, then the connection is cut.
        case halfAnswer
        /// These bytes arrive instead of the answer, then the connection is cut.
        case replaceAnswer(String)
        /// The request waits for ``UnreliableProxy/release()``, and then goes to the server whether or not the client is still there.
        case holdRequest
        /// The answer waits for ``UnreliableProxy/release()``.
        case holdAnswer
    }

    private struct Cut: Error {}

    private struct State {
        var script: [Fault] = []
        var exchanges = 0
        var isDown = false
        var held: [CheckedContinuation<Void, Never>] = []
        var connections: [ObjectIdentifier: any Channel] = [:]
    }

    /// As VAULT_ADDR has it; `https` where the server's address is.
    public let address: String
    private let host: String
    private let port: Int
    private let rewrite: (@Sendable (String) -> String)?
    private let listener: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    private let state = Mutex(State())

    /// Starts a proxy.
    /// - Parameters:
    ///   - server: the server's address, as VAULT_ADDR has it.
    ///   - rewrite: changes the first piece of each request on its way, as text: for servers without TLS.
    public init(to server: String, rewrite: (@Sendable (String) -> String)? = nil) async throws {
        let parts = server.split(separator: "://")
        let place = parts.last?.split(separator: ":") ?? []
        guard parts.count == 2, place.count == 2, let port = Int(place[1]) else {
            throw HarnessError(description: "\(server) is no address of a server.")
        }
        host = String(place[0])
        self.port = port
        self.rewrite = rewrite
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.wrap(channel) }
            }
        guard let own = listener.channel.localAddress?.port else { throw HarnessError(description: "No port.") }
        address = "\(parts[0])://127.0.0.1:\(own)"
        let listener = listener
        Task { [weak self] in
            // It ends when the proxy is stopped; then there is nobody to tell.
            try? await listener.executeThenClose { connections in
                for try await connection in connections {
                    Task { [weak self] in await self?.serve(connection) }
                }
            }
        }
    }

    /// Says what becomes of the next exchanges, whichever connection they come on; later ones are forwarded.
    public func script(_ faults: Fault...) { state.withLock { $0.script = faults } }

    /// How many exchanges have begun.
    public var exchanges: Int { state.withLock { $0.exchanges } }

    /// How many exchanges are being held.
    public var held: Int { state.withLock { $0.held.count } }

    /// Lets those go on that are being held.
    public func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for one in held { one.resume() }
    }

    /// Cuts all connections, and new ones at once while it is down: as a server that has died, or a network.
    public func setDown(_ isDown: Bool) {
        let connections = state.withLock { state in
            state.isDown = isDown
            return isDown ? Array(state.connections.values) : []
        }
        for connection in connections { connection.close(promise: nil) }
    }

    /// Stops it.
    public func stop() {
        setDown(true)
        release()
        listener.channel.close(promise: nil)
    }

    private static func wrap(_ channel: any Channel) throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: false))
    }

    private func next() -> Fault {
        state.withLock { state in
            state.exchanges += 1
            return state.script.isEmpty ? .none : state.script.removeFirst()
        }
    }

    private func hold() async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.held.append(continuation) }
        }
    }
}

// One connection.
extension UnreliableProxy {
    /// The exchange that a connection is in, if it is in one, and whether its client is still there.
    private final class Exchange: Sendable {
        private let state = Mutex<(fault: Fault?, hasClient: Bool)>((nil, true))

        var isOpen: Bool { state.withLock { $0.fault != nil } }
        var hasClient: Bool { state.withLock { $0.hasClient } }
        func begin(_ fault: Fault) { state.withLock { $0.fault = fault } }
        func end() -> Fault? {
            state.withLock { state in
                defer { state.fault = nil }
                return state.fault
            }
        }
        func loseClient() { state.withLock { $0.hasClient = false } }
    }

    private func serve(_ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        let id = ObjectIdentifier(client.channel)
        let isDown = state.withLock { state in
            state.connections[id] = client.channel
            return state.isDown
        }
        defer { state.withLock { $0.connections[id] = nil } }
        // Whatever ends a connection ends it on both sides, and that is all there is to do.
        try? await client.executeThenClose { fromClient, toClient in
            guard !isDown else { return }
            let server = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.wrap(channel) }
                }
            try await server.executeThenClose { fromServer, toServer in
                let exchange = Exchange()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.forward(fromClient, to: toServer, exchange) }
                    group.addTask {
                        try await self.answer(fromServer, to: toClient, exchange)
                        throw Cut()
                    }
                    // Whichever throws first ends the other.
                    while try await group.next() != nil {}
                }
            }
        }
    }

    /// From the client to the server.
    private func forward(
        _ client: NIOAsyncChannelInboundStream<ByteBuffer>, to server: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ exchange: Exchange
    ) async throws {
        for try await bytes in client {
            var bytes = bytes
            if !exchange.isOpen {
                let fault = next()
                exchange.begin(fault)
                if let rewrite { bytes = ByteBuffer(string: rewrite(String(buffer: bytes))) }
                switch fault {
                case .cutBeforeRequest: throw Cut()
                case .holdRequest: await hold()
                default: break
                }
            }
            try await server.write(bytes)
        }
        // The client has gone. What has reached the server is done there: it would give up what nobody waits for.
        exchange.loseClient()
        guard exchange.isOpen else { throw Cut() }
    }

    /// From the server to the client.
    private func answer(
        _ server: NIOAsyncChannelInboundStream<ByteBuffer>, to client: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ exchange: Exchange
    ) async throws {
        for try await bytes in server {
            let fault = exchange.end()
            guard exchange.hasClient else { return }
            switch fault {
            case .cutBeforeAnswer:
                return
            case .halfAnswer:
                try await client.write(bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes / 2) ?? bytes)
                return
            case .replaceAnswer(let text):
                try await client.write(ByteBuffer(string: text))
                return
            case .holdAnswer:
                await hold()
                guard exchange.hasClient else { return }
                try await client.write(bytes)
            default:
                try await client.write(bytes)
            }
        }
    }
}
