// Ends connections that would otherwise hold on to the server: after an answer that says so, and when an
// exchange takes too long, be it that its body drips in or that its answer is not taken.

import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Watches the exchanges of one connection. Lives on its event loop.
final class ExchangeGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long an exchange may take from its header to its answer's last byte.
    private let limit: TimeAmount
    private var underWay = 0
    private var alarm: Scheduled<Void>?
    private var mustClose = false

    init(limit: TimeAmount) {
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) {
            underWay += 1
            if underWay == 1 { setAlarm(context) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            // An interim answer (1xx) ends nothing.
            if head.headerFields[.connection] == "close" { mustClose = true }
            context.write(data, promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            let done = promise ?? context.eventLoop.makePromise()
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            done.futureResult.whenComplete { _ in
                let (handler, context) = bound.value
                handler.exchangeEnded(context)
            }
            context.write(data, promise: done)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        context.fireChannelInactive()
    }

    private func exchangeEnded(_ context: ChannelHandlerContext) {
        underWay -= 1
        alarm?.cancel()
        alarm = nil
        if mustClose {
            context.close(promise: nil)
        } else if underWay > 0 {
            setAlarm(context)
        }
    }

    private func setAlarm(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        alarm = context.eventLoop.scheduleTask(in: limit) { bound.value.close(promise: nil) }
    }
}
