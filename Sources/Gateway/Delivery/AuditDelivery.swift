// Delivery of the audit log to sinks: all of them at once, none in the way of another.

public import Logging
public import NIOCore
public import PosternAudit
public import PosternProtocol

/// Delivers the audit log to sinks while the gateway runs.
///
/// Every sink is given every record in order and at least once, from a cursor of its own that is kept in the log's
/// directory, in `sinks/`. A sink that is slow, dead or full changes nothing but how far it is behind.
public final class AuditDelivery: Sendable {
    private let deliveries: [SinkDelivery]

    /// Prepares delivery; nothing is connected or read yet.
    /// - Parameters:
    ///   - sinks: where to.
    ///   - audit: the log.
    ///   - directory: its directory.
    ///   - product: what events say made them.
    ///   - group: whose event loops do the work.
    ///   - clock: tells how old records are.
    ///   - logger: is told when a sink begins or ceases to fail.
    /// - Throws: `invalid_argument` if a URL cannot be used.
    public init(
        sinks: [SinkOptions], audit: AuditLog, directory: String, product: ProductName, group: any EventLoopGroup,
        clock: any WallClock, logger: Logger
    ) throws(SecretError) {
        let source = SinkDelivery.Source(
            directory: directory, origin: audit.origin, durable: { [weak audit] in audit?.nextIndex ?? 0 })
        var deliveries: [SinkDelivery] = []
        for options in sinks {
            let thread = BlockingThread()
            let form = RecordForm(format: options.format, product: product)
            let sink: any Sink =
                switch options.kind {
                case .syslog(let syslog): SyslogSink(syslog, form: form, group: group)
                case .webhook(let webhook): try WebhookSink(webhook, form: form, group: group, clock: clock)
                case .file(let path): FileSink(path: path, form: form, thread: thread)
                }
            deliveries.append(
                SinkDelivery(
                    options, sink: sink, source: source,
                    cursor: DeliveryCursor(directory: directory + "/sinks", sink: options.name), thread: thread,
                    clock: clock, logger: logger))
        }
        self.deliveries = deliveries
    }

    /// Delivers until the task is cancelled, then says goodbye to each sink and writes its cursor.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for delivery in deliveries { group.addTask { await delivery.run() } }
        }
    }

    /// How each sink is.
    public var statuses: [SinkStatus] { deliveries.map(\.status) }
}
