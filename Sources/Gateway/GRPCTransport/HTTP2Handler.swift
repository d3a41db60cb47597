// Moves a connection's bytes between its channel and its HTTP/2 session, and keeps its timer.

import Glibc
import NIOCore
import NIOSSL

/// The last handler of an admitted connection.
///
/// `@unchecked Sendable`: confined to its channel's event loop; others reach it by `ConnectionRegistry`, which hops.
final class HTTP2Handler: ChannelInboundHandler, BurstFlushable, HTTP2ConnectionOwner, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let connection: HTTP2Connection
    private let onClose: @Sendable () -> Void
    private var lifetime: ConnectionLifetime
    private var context: ChannelHandlerContext?
    private var output: ByteBuffer
    private var isReading = false
    private var isFlushDue = false
    private var isClosing = false
    private var timer: Scheduled<Void>?
    private var timerDue: ContinuousClock.Instant?

    /// How much is written to the channel before it is asked again whether it wants more, in bytes.
    private static let writeSize = 64 * 1_024

    init(connection: HTTP2Connection, jitter: Double, onClose: @escaping @Sendable () -> Void) {
        self.connection = connection
        self.onClose = onClose
        lifetime = ConnectionLifetime(configuration: connection.shared.configuration, now: .now, jitter: jitter)
        output = ByteBufferAllocator().buffer(capacity: 4_096)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection.owner = self
        setTimer(lifetime.due)
        flush()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        timer?.cancel()
        timer = nil
        connection.tearDown()
        onClose()
    }

    // MARK: - In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        let bytes = unwrapInboundIn(data)
        guard !isClosing else { return }
        do throws(HTTP2Session.Failure) {
            try connection.receive(bytes.readableBytesUInt8Span)
        } catch {
            connection.fail(error)
        }
        if lifetime.heard(now: connection.now) { setTimer(lifetime.due) }
        if !connection.streams.isEmpty { lifetime.calls(areOpen: true, now: connection.now) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A broken TLS session or socket: nothing can be said any more.
        abort()
    }

    // MARK: - Out

    func connectionHasOutput() {
        guard !isReading, !isFlushDue, context != nil else { return }
        isFlushDue = true
        connection.executor.flushAfterBurst(self)
    }

    func flushAfterBurst() {
        isFlushDue = false
        if !isReading { flush() }
    }

    private func flush() {
        guard let context, !isClosing else { return }
        do throws(HTTP2Session.Failure) {
            // A peer that does not read leaves its frames in the session, where flow control bounds them.
            while context.channel.isWritable {
                while output.readableBytes < Self.writeSize, try connection.send(into: &output) {}
                guard output.readableBytes > 0 else { break }
                writeOutput(context)
            }
        } catch {
            return abort()
        }
        if let session = connection.session, session.isFinished { close() }
    }

    private func writeOutput(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        // The frames held secrets; TLS has encrypted them by now and let go of the buffer, which serves again.
        unsafe output.withUnsafeMutableReadableBytes { bytes in
            if let start = bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
        }
        output.clear()
        if output.capacity > 4 * Self.writeSize { output = context.channel.allocator.buffer(capacity: 4_096) }
    }

    /// Closes once the peer has seen everything. Calls that are still open are over already.
    private func close() {
        guard let context, !isClosing else { return }
        isClosing = true
        timer?.cancel()
        connection.tearDown()
        context.close(promise: nil)
    }

    /// Closes without waiting for the peer.
    func abort() {
        guard let context else { return }
        isClosing = true
        closeWithoutTLSShutdown(context)
    }

    // MARK: - Going away

    func drain(within grace: Duration) { perform(lifetime.drain(within: grace, now: .now)) }

    func connectionMayGoAway() { perform(lifetime.shutdownAnswered()) }

    func connectionBecameIdle() { lifetime.calls(areOpen: false, now: .now) }

    private func perform(_ action: ConnectionLifetime.Action) {
        switch action {
        case .none: return
        case .ping: connection.session?.ping(HTTP2Connection.keepalivePing)
        case .announceShutdown:
            connection.session?.announceShutdown()
            connection.session?.ping(HTTP2Connection.shutdownPing)
        case .goAway: connection.session?.goAway()
        case .close: return abort()
        }
        setTimer(lifetime.due)
        connectionHasOutput()
    }

    // MARK: - Timer

    func connectionHasDeadline(_ deadline: ContinuousClock.Instant) { setTimer(deadline) }

    /// One timer serves the deadlines of all calls and the connection's own times; it is moved only to be earlier.
    private func setTimer(_ due: ContinuousClock.Instant) {
        guard let context, !isClosing else { return }
        if let timerDue, timerDue <= due { return }
        timer?.cancel()
        timerDue = due
        let delay = TimeAmount(max(.zero, ContinuousClock.now.duration(to: due)))
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.timerFired() }
    }

    private func timerFired() {
        timer = nil
        timerDue = nil
        let now = ContinuousClock.now
        let deadline = connection.expire(now: now)
        var action = lifetime.act(now: now)
        while action != .none {
            perform(action)
            if action == .close { return }
            action = lifetime.act(now: now)
        }
        setTimer(min(deadline ?? lifetime.due, lifetime.due))
    }
}

/// Closes a channel below its TLS handler, which would otherwise wait for the peer to agree.
func closeWithoutTLSShutdown(_ context: ChannelHandlerContext) {
    do {
        let tls = try context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        tls.close(promise: nil)
    } catch {
        context.close(promise: nil)
    }
}
