// What the gRPC transport tells about its connections: gauges for metrics, and failed handshakes for the audit log.

import Logging
import PosternCore
import PosternGRPCTransport
import PosternProtocol
import Synchronization

/// Counts connections, and records those that could not prove who they are.
final class ConnectionObserver: RPCObserver {
    private struct State {
        var open = 0
        var accepted = 0
        var refused: [RPCRefusal: Int] = [:]
    }

    private let limiter = RecordLimiter()
    private let state = Mutex(State())
    private let gateway: Gateway
    private let requestIDs: RequestIDs
    private let logger: Logger

    init(gateway: Gateway, requestIDs: RequestIDs, logger: Logger) {
        self.gateway = gateway
        self.requestIDs = requestIDs
        self.logger = logger
    }

    func connectionOpened(_ connection: RPCConnection) {
        state.withLock {
            $0.open += 1
            $0.accepted += 1
        }
    }

    func connectionClosed(_ connection: RPCConnection) {
        state.withLock { $0.open -= 1 }
    }

    func connectionRefused(_ refusal: RPCRefusal, address: String?, detail: String) {
        state.withLock { $0.refused[refusal, default: 0] += 1 }
        guard refusal == .handshakeFailed, let suppressed = limiter.admit() else { return }
        let failure = SecretError(.unauthenticated, "The TLS handshake failed.")
        let (gateway, requestIDs, logger) = (gateway, requestIDs, logger)
        var notes = ["stage": "tls_handshake"]
        if !detail.isEmpty { notes["cause"] = detail }
        if suppressed > 0 { notes["unrecorded_before"] = String(suppressed) }
        Task { [notes] in
            do {
                _ = try await gateway.recordAuthenticationFailure(
                    failure, of: Caller(unauthenticated: failure, address: address), requestID: requestIDs.next(),
                    detail: notes)
            } catch {
                // The peer got nothing, so nothing is owed a record; the audit log's own health says that it is ill.
                logger.warning("a failed handshake could not be recorded", metadata: ["error": "\(error)"])
            }
        }
    }

    /// The counts for metrics.
    var gauges: [Gauge] {
        let state = state.withLock { $0 }
        var gauges: [Gauge] = [
            Gauge("postern_grpc_connections", "gRPC connections open.", Double(state.open)),
            Gauge(
                "postern_grpc_connections_accepted", "gRPC connections accepted since the start.",
                Double(state.accepted)),
        ]
        for reason in RPCRefusal.allCases {
            gauges.append(
                Gauge(
                    "postern_grpc_connections_refused_\(reason.rawValue)",
                    "gRPC connections turned away since the start: \(reason.rawValue).",
                    Double(state.refused[reason] ?? 0)
                ))
        }
        return gauges
    }
}
