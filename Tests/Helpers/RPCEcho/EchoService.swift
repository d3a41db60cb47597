// The methods of RPCEcho.

import Foundation
@_spi(Testing) import PosternGRPCTransport
import PosternProtocol
import Synchronization

/// What the tests ask about afterwards.
final class Counters: RPCObserver {
    private let counts = Mutex<[String: Int]>([:])
    private let refused = Mutex<[String]>([])

    func add(_ name: String, _ count: Int = 1) { counts.withLock { $0[name, default: 0] += count } }
    var all: [String: Int] { counts.withLock { $0 } }
    /// Each refusal as `reason|address|detail`.
    var refusals: [String] { refused.withLock { $0 } }

    func connectionOpened(_ connection: RPCConnection) { add("opened") }
    func connectionClosed(_ connection: RPCConnection) { add("closed") }
    func connectionMisbehaved(_ connection: RPCConnection) { add("misbehaved") }
    func connectionRefused(_ refusal: RPCRefusal, address: String?, detail: String) {
        refused.withLock { $0.append("\(refusal.rawValue)|\(address ?? "unknown")|\(detail)") }
        add("refused_\(refusal.rawValue)")
    }
    func callFinished(method: String?, code: Int, duration: Duration) { add("code_\(code)") }
}

/// Resumes everybody who waits in bursts, as a group commit does after each fsync.
final class GroupCommit: Sendable {
    private let waiters = Mutex<[UnsafeContinuation<Void, Never>]>([])
    private let wake = DispatchSemaphore(value: 0)

    init() {
        Thread.detachNewThread { [self] in
            while true {
                wake.wait()
                usleep(300)
                let burst = waiters.withLock { waiters in
                    defer { waiters = [] }
                    return waiters
                }
                for waiter in burst { waiter.resume() }
            }
        }
    }

    func wait() async {
        await withUnsafeContinuation { waiter in
            let isFirst = waiters.withLock { waiters in
                waiters.append(waiter)
                return waiters.count == 1
            }
            if isFirst { wake.signal() }
        }
    }
}

/// The methods.
final class EchoService: Sendable {
    private let counters: Counters
    private let commit = GroupCommit()
    private let current = Mutex<GRPCServer?>(nil)

    init(counters: Counters) {
        self.counters = counters
    }

    var server: GRPCServer? {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    var methods: [String: RPCMethod] {
        let methods: [String: RPCMethod] = [
            "Say": .unary { (_, message) async throws(RPCStatus) in message },
            "SayLater": .unary { [commit] (_, message) async throws(RPCStatus) in
                await commit.wait()
                return message
            },
            "Fail": .unary { (_, message) async throws(RPCStatus) in
                throw RPCStatus(
                    code: 7, message: "Nein: 100 % größer\n", details: Array("details".utf8) + message,
                    trailers: [.init(name: "retry-pushback-ms", value: "250")])
            },
            "Slow": .unary { [counters] (_, message) async throws(RPCStatus) in
                counters.add("slow_started")
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    counters.add("slow_cancelled")
                }
                return message
            },
            "IgnoreCancel": .unary { [counters] (_, message) async throws(RPCStatus) in
                counters.add("ignore_started")
                await withUnsafeContinuation { done in
                    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(1_500)) { done.resume() }
                }
                counters.add("ignored_cancel")
                return message
            },
            "Spin": .unary { (_, message) async throws(RPCStatus) in
                while !Task.isCancelled { await Task.yield() }
                return message
            },
            "Big": .unary { (_, message) async throws(RPCStatus) in
                [UInt8](repeating: 7, count: Int(String(decoding: message, as: UTF8.self)) ?? 0)
            },
            "Who": .unary { (context, _) async throws(RPCStatus) in Array(Self.describe(context).utf8) },
            "Counters": .unary { [self] (_, _) async throws(RPCStatus) in
                var all = counters.all
                all["connections"] = server?.connectionCount ?? -1
                all["admitted"] = server?.admittedConnectionCount ?? -1
                all["live"] = server?.liveConnections ?? -1
                return Array("{\(all.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}".utf8)
            },
            "Refusals": .unary { [counters] (_, _) async throws(RPCStatus) in
                Array(counters.refusals.joined(separator: "\n").utf8)
            },
            "CloseAll": .unary { [self] (context, message) async throws(RPCStatus) in
                server?.closeConnections { $0.id != context.connection.id }
                return message
            },
            "Shutdown": .unary { [self] (_, message) async throws(RPCStatus) in
                let grace = Int(String(decoding: message, as: UTF8.self)) ?? 1_000
                Task { await server?.shutdown(within: .milliseconds(grace)) }
                return message
            },
            "Count": .streaming { [counters] (_, requests, responses) async throws(RPCStatus) in
                let request = try await requests.next() ?? []
                let parts = String(decoding: request, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
                let size = parts.count > 1 ? parts[1] : 0
                for number in 0..<(parts.first ?? 0) {
                    var message = Array(String(number).utf8)
                    if message.count < size { message += [UInt8](repeating: 0x20, count: size - message.count) }
                    try await responses.write(message)
                    counters.add("written")
                }
            },
            "Chat": .streaming { (_, requests, responses) async throws(RPCStatus) in
                while let message = try await requests.next() { try await responses.write(message) }
            },
            "FailLate": .streaming { (_, requests, responses) async throws(RPCStatus) in
                for try await message in requests { try await responses.write(message) }
                throw RPCStatus(code: 9, message: "late")
            },
            "Stall": .streaming { [counters] (_, requests, _) async throws(RPCStatus) in
                _ = try await requests.next()
                counters.add("stalled")
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    counters.add("stall_cancelled")
                }
            },
            "WaitForMore": .streaming { [counters] (_, requests, _) async throws(RPCStatus) in
                do throws(RPCStatus) {
                    while try await requests.next() != nil {}
                } catch {
                    counters.add("reader_failed_\(error.code)")
                    throw error
                }
            },
        ]
        return Dictionary(uniqueKeysWithValues: methods.map { ("/echo.Echo/\($0)", $1) })
    }

    private static func describe(_ context: RPCContext) -> String {
        let binary = context.metadata.binary("x-test-bin").map { $0.map(String.init).joined(separator: ",") } ?? "none"
        let left = context.deadline.map { $0.remaining > .seconds(5) ? "long" : "short" } ?? "none"
        return [
            context.method, context.connection.remoteAddress, "\(context.connection.peerCertificateDER?.first ?? 0)",
            "\(context.connection.attachment ?? "nobody")", context.metadata["x-test"] ?? "none", binary, left,
        ].joined(separator: "|")
    }
}
