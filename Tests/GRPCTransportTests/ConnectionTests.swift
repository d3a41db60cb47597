// A connection without a network: what it leaves behind, and what random bytes do to it.

import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable @_spi(Fuzzing) import PosternGRPCTransport

private func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0, UInt8(payload.count >> 8), UInt8(payload.count & 255), kind, flags, 0, 0, 0, stream] + payload
}

private func literal(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
}

private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, [])
private let headers =
    literal(":method", "POST") + literal(":scheme", "https") + literal(":path", "/e/E") + literal(":authority", "a")
    + literal("content-type", "application/grpc") + literal("x-test", "v")
private let call = frame(1, 4, 1, headers) + frame(0, 1, 1, [0, 0, 0, 0, 2, 7, 8])

/// A connection on a loop, with one method `/e/E`.
private final class Bench: Sendable {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let live = LiveCount()
    private let connection = Mutex<HTTP2Connection?>(nil)

    init(_ method: RPCMethod) async throws {
        try await onLoop { [self] in
            let peer = RPCPeer(connectionID: 0, remoteAddress: "", remotePort: 0, certificateDER: nil)
            let made = try HTTP2Connection(
                peer: RPCConnection(peer: peer, attachment: nil), executor: LoopExecutor(loop: loop),
                shared: HTTP2Connection.Shared(
                    configuration: GRPCServer.Configuration(), methods: MethodTable(["/e/E": method]), observer: nil,
                    live: live))
            connection.withLock { $0 = made }
        }
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await loop.submit(body).get()
    }

    /// Has the connection take bytes, does something with it, and returns what it sends.
    func exchange(_ bytes: [UInt8], then: @escaping @Sendable (HTTP2Connection) -> Void = { _ in }) async throws
        -> [UInt8]
    {
        try await onLoop { [self] in
            guard let connection = connection.withLock({ $0 }) else { return [] }
            try connection.receive(bytes.span)
            then(connection)
            var sent = ByteBuffer()
            while try connection.send(into: &sent) {}
            return Array(sent.readableBytesView)
        }
    }

    func tearDown() async throws {
        try await onLoop { [self] in
            connection.withLock { connection in
                connection?.tearDown()
                connection = nil
            }
        }
    }
}

private final class WeakStream: Sendable {
    private struct Box: @unchecked Sendable { weak var stream: RPCStream? }
    private let box = Mutex(Box())
    var isGone: Bool { box.withLock { $0.stream == nil } }
    func watch(_ stream: RPCStream?) { box.withLock { $0.stream = stream } }
}

struct `A connection` {
    @Test func `keeps nothing of a call that is over`() async throws {
        let bench = try await Bench(.unary { (_, message) async throws(RPCStatus) in message })
        let stream = WeakStream()
        let sent = try await bench.exchange(preface + call) { connection in
            stream.watch(connection.streams.first)
            #expect(connection.streams.count == 1)
        }
        let answer: [UInt8] = [0, 0, 0, 0, 2, 7, 8]
        #expect((0..<max(0, sent.count - 6)).contains { sent[$0...].starts(with: answer) })
        #expect(try await bench.onLoop { stream.isGone })
        try await bench.tearDown()
        #expect(try await bench.onLoop { bench.live.current } == 0)
    }

    @Test func `that is lost cancels its calls and is freed when they end`() async throws {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (ended, end) = AsyncStream.makeStream(of: Bool.self)
        let bench = try await Bench(
            .unary { (_, message) async throws(RPCStatus) in
                start.yield()
                do { try await Task.sleep(for: .seconds(60)) } catch { end.yield(Task.isCancelled) }
                end.finish()
                return message
            })
        let stream = WeakStream()
        _ = try await bench.exchange(preface + call) { stream.watch($0.streams.first) }
        for await _ in started { break }
        #expect(!stream.isGone)
        try await bench.tearDown()
        var wasCancelled = false
        for await cancelled in ended { wasCancelled = cancelled }
        #expect(wasCancelled)
        while try await bench.onLoop({ !stream.isGone || bench.live.current != 0 }) { await Task.yield() }
    }

    @Test func `answers on its loop in a task that prefers it`() async throws {
        let isOnLoop = Mutex<[Bool]>([])
        let loop = Mutex<(any EventLoop)?>(nil)
        let bench = try await Bench(
            .unary { (_, message) async throws(RPCStatus) in
                isOnLoop.withLock { $0.append(loop.withLock { $0?.inEventLoop ?? false }) }
                await Task.yield()
                isOnLoop.withLock { $0.append(loop.withLock { $0?.inEventLoop ?? false }) }
                return message
            })
        loop.withLock { $0 = bench.loop }
        _ = try await bench.exchange(preface + call)
        while isOnLoop.withLock({ $0.count < 2 }) { await Task.yield() }
        #expect(isOnLoop.withLock { $0 } == [true, true])
        try await bench.tearDown()
    }

    @Test func `survives mutated frames`() throws {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<3_000 {
            var bytes =
                call + frame(8, 0, 1, [0, 0, 1, 0]) + call.map { $0 == 1 ? 3 : $0 } + frame(3, 0, 3, [0, 0, 0, 8])
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = .random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(.random(in: 0...255, using: &random), at: index)
                }
            }
            try GRPCTransportFuzzing.connection(bytes)
            GRPCTransportFuzzing.request(bytes)
            GRPCTransportFuzzing.values(bytes)
        }
    }
}

/// SplitMix64, so that a failure comes again.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
