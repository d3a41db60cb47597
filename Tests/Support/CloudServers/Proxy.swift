// Stands between a client and a server, sees what is said, and does now and then what networks and busy services do.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization
import TestPrograms

/// An HTTP proxy that passes requests on, unless a test says otherwise.
public final class Proxy: Sendable {
    /// What happens to a request; nil passes it on.
    public typealias Intervention = @Sendable (ServerRequest) async -> ServerAnswer?
    /// What happens to an answer.
    public typealias Alteration = @Sendable (ServerRequest, String) -> String

    private struct State {
        var server: LoopbackHTTPServer?
        var intervention: Intervention?
        var alteration: Alteration?
        var requests: [ServerRequest] = []
    }

    /// Its address, also while it is stopped.
    public let url: String
    private let port: Int
    private let target: String
    private let state = Mutex(State())

    /// Starts one in front of a server.
    public init(to target: String) async throws {
        self.target = target
        port = try freePort()
        url = "http://127.0.0.1:\(port)"
        try await start()
    }

    /// What was asked so far.
    public var requests: [ServerRequest] { state.withLock { $0.requests } }

    /// From now on, requests are looked at first.
    public func intervene(_ intervention: Intervention?) { state.withLock { $0.intervention = intervention } }

    /// From now on, the bodies of answers are altered.
    public func alter(_ alteration: Alteration?) { state.withLock { $0.alteration = alteration } }

    /// Starts it again.
    public func start() async throws {
        let server = try await LoopbackHTTPServer(port: port) { [weak self] request in
            guard let self else { return .hangUp }
            let intervention = state.withLock { state in
                state.requests.append(request)
                return state.intervention
            }
            if let answer = await intervention?(request) { return answer }
            return await forward(request)
        }
        state.withLock { $0.server = server }
    }

    /// Refuses connections from now on.
    public func stop() async throws {
        try await state.withLock { state in
            defer { state.server = nil }
            return state.server
        }?.stop()
    }

    private func forward(_ request: ServerRequest) async -> ServerAnswer {
        var outgoing = HTTPClientRequest(url: target + request.target)
        outgoing.method = request.method
        outgoing.headers = request.headers
        outgoing.headers.remove(name: "Content-Length")
        outgoing.body = .bytes(ByteBuffer(bytes: request.body))
        do {
            let response = try await HTTPClient.shared.execute(outgoing, timeout: .seconds(120))
            var body = String(buffer: try await response.body.collect(upTo: 1 << 20))
            if let alteration = state.withLock({ $0.alteration }) { body = alteration(request, body) }
            let headers = response.headers.filter {
                !["content-length", "transfer-encoding", "connection"].contains($0.name.lowercased())
            }
            return .text(Int(response.status.code), body, headers.map { ($0.name, $0.value) })
        } catch {
            return .hangUp
        }
    }
}
