// The standard health service: Check says how things are, Watch says so again whenever it changes.

import PosternCore
import PosternGRPCTransport
import PosternWire
import SwiftProtobuf

/// The methods of grpc.health.v1.Health. The empty name stands for the whole gateway.
struct HealthMethods: Sendable {
    let readiness: Readiness
    let services: Set<String>
    /// How often Watch looks for a change.
    let interval: Duration

    /// The methods by their full name.
    var methods: [String: RPCMethod] {
        [
            "/grpc.health.v1.Health/Check": .unary(check),
            "/grpc.health.v1.Health/Watch": .streaming(watch),
        ]
    }

    @Sendable private func check(_: RPCContext, _ bytes: [UInt8]) async throws(RPCStatus) -> [UInt8] {
        let name = try Self.decode(bytes)
        guard isKnown(name) else {
            throw RPCStatus(code: 5, message: "There is no service \"\(name.prefix(200))\" here.")
        }
        return try Self.encode(status)
    }

    @Sendable private func watch(
        _: RPCContext, _ requests: RPCRequestStream, _ responses: RPCResponseStream
    ) async throws(RPCStatus) {
        guard let bytes = try await requests.next() else {
            throw RPCStatus(code: 3, message: "Watch takes one request message.")
        }
        guard isKnown(try Self.decode(bytes)) else {
            // By the protocol the stream stays open: the service might appear later.
            try await responses.write(try Self.encode(.serviceUnknown))
            while !isOver { try await pause() }
            return
        }
        var last: Grpc_Health_V1_HealthCheckResponse.ServingStatus?
        while true {
            // Asked in this order, so that the last word of a gateway that goes down is that it does.
            let isLast = isOver
            let now = status
            if now != last {
                try await responses.write(try Self.encode(now))
                last = now
            }
            if isLast { return }
            try await pause()
        }
    }

    /// Whether a watch should end: a gateway that goes down waits for its calls, and a watch would never be done.
    private var isOver: Bool { Task.isCancelled || readiness.isDraining }

    private func pause() async throws(RPCStatus) {
        do {
            try await Task.sleep(for: interval)
        } catch {
            throw RPCStatus(code: 14, message: "The gateway is shutting down, or the caller is gone.")
        }
    }

    private func isKnown(_ name: String) -> Bool { name.isEmpty || services.contains(name) }

    private var status: Grpc_Health_V1_HealthCheckResponse.ServingStatus {
        readiness.isReady ? .serving : .notServing
    }

    private static func decode(_ bytes: [UInt8]) throws(RPCStatus) -> String {
        do {
            return try Grpc_Health_V1_HealthCheckRequest(serializedBytes: bytes).service
        } catch {
            throw RPCStatus(code: 3, message: "The request is not a valid grpc.health.v1.HealthCheckRequest message.")
        }
    }

    private static func encode(
        _ status: Grpc_Health_V1_HealthCheckResponse.ServingStatus
    ) throws(RPCStatus) -> [UInt8] {
        var response = Grpc_Health_V1_HealthCheckResponse()
        response.status = status
        do {
            return try response.serializedBytes()
        } catch {
            throw RPCStatus(code: 13, message: "The answer could not be encoded.")
        }
    }
}
