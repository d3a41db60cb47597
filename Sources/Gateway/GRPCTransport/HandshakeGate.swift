// Between accepting a connection and serving it: the TLS handshake, ALPN, the peer's certificate and its admission.

import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind the TLS handler until the peer is let in, then puts an HTTP2Handler in its place.
///
/// `@unchecked Sendable`: confined to its channel's event loop.
final class HandshakeGate: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    /// How the gate reaches its server.
    struct Actions: Sendable {
        let timeout: Duration
        let admit: @Sendable (RPCPeer) async -> RPCAdmission
        let refused: @Sendable (RPCRefusal, String) -> Void
        /// Makes the handler of an admitted connection; nil if the server stopped meanwhile.
        let open: @Sendable (RPCConnection) throws -> HTTP2Handler?
    }

    /// What a peer may send before it is admitted, in bytes: its preface, settings and first calls.
    private static let earlyLimit = 256 * 1_024

    private let id: UInt64
    private let executor: LoopExecutor
    private let actions: Actions
    private var context: ChannelHandlerContext?
    private var early: [ByteBuffer] = []
    private var earlyBytes = 0
    private var timer: Scheduled<Void>?
    private var admission: Task<Void, Never>?
    private var isDecided = false

    init(id: UInt64, executor: LoopExecutor, actions: Actions) {
        self.id = id
        self.executor = executor
        self.actions = actions
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(actions.timeout)) {
            self.refuse(.handshakeTimeout, "The handshake took longer than \(self.actions.timeout).")
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        refuse(HandshakeFailure.closed)
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        refuse(HandshakeFailure(error))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? TLSUserEvent, case .handshakeCompleted(let negotiated) = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        guard negotiated == "h2" else {
            return refuse(.notHTTP2, "The peer did not negotiate h2 by ALPN.")
        }
        do {
            let certificate = try context.pipeline.syncOperations.nioSSL_peerCertificate()
            let address = context.channel.remoteAddress
            let peer = RPCPeer(
                connectionID: id, remoteAddress: address?.ipAddress ?? "", remotePort: address?.port ?? 0,
                certificateDER: try certificate?.toDERBytes())
            let task = Task.immediate(executorPreference: executor) {
                let admission = await self.actions.admit(peer)
                self.executor.loop.runHere { self.admitted(peer, admission) }
            }
            if !isDecided { admission = task }
        } catch {
            refuse(.handshakeFailed, "The peer's certificate cannot be read: \(error)")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        earlyBytes += bytes.readableBytes
        guard earlyBytes <= Self.earlyLimit else {
            return refuse(.notAdmitted, "The peer sent too much before it was admitted.")
        }
        early.append(bytes)
    }

    private func admitted(_ peer: RPCPeer, _ admission: RPCAdmission) {
        guard let context, !isDecided else { return }
        switch admission {
        case .refuse(let reason): refuse(.notAdmitted, reason)
        case .accept(let attachment):
            do {
                guard let handler = try actions.open(RPCConnection(peer: peer, attachment: attachment)) else {
                    return refuse(.shuttingDown, "The server is shutting down.")
                }
                decide()
                try context.pipeline.syncOperations.addHandler(handler)
                for bytes in early { context.fireChannelRead(NIOAny(bytes)) }
                if !early.isEmpty { context.fireChannelReadComplete() }
                early = []
                context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
            } catch {
                refuse(.handshakeFailed, "The connection cannot be set up: \(error)")
            }
        }
    }

    private func refuse(_ failure: HandshakeFailure) { refuse(failure.refusal, failure.detail) }

    private func refuse(_ reason: RPCRefusal, _ detail: String) {
        guard let context, !isDecided else { return }
        decide()
        actions.refused(reason, detail)
        closeWithoutTLSShutdown(context)
    }

    private func decide() {
        isDecided = true
        timer?.cancel()
        timer = nil
    }

    private func end() {
        timer?.cancel()
        timer = nil
        admission?.cancel()
        admission = nil
        context = nil
        early = []
    }
}
