// A syslog server. Syslog acknowledges nothing, so what was written counts as delivered only after the connection has
// held for a while; what was written in that time to a connection that broke is written again to the next.

import NIOCore
import PosternProtocol
import Synchronization

final class SyslogSink: Sink {
    private let options: SyslogOptions
    private let message: SyslogMessage
    private let group: any EventLoopGroup
    private let connection = Mutex<SyslogConnection?>(nil)

    init(_ options: SyslogOptions, form: RecordForm, group: any EventLoopGroup) {
        self.options = options
        self.group = group
        message = SyslogMessage(
            form: form, hostname: options.hostname, structuredDataID: options.structuredDataID)
    }

    var settling: Duration { options.settling }

    var isBroken: Bool { connection.withLock { $0.map { !$0.isOpen } ?? false } }

    func deliver(_ records: [DeliveredRecord], deadline: Deadline) async throws(SinkFailure) {
        var bytes = ByteBuffer()
        for record in records { message.appendFrame(record, to: &bytes) }
        do throws(SinkFailure) {
            let current: SyslogConnection
            if let open = connection.withLock({ $0 }) {
                current = open
            } else {
                current = try await SyslogConnection(to: options, group: group)
                connection.withLock { $0 = current }
            }
            try await current.write(bytes)
        } catch {
            throw SinkFailure(message: "\(options.host):\(options.port): \(error.message)")
        }
    }

    func reset() { takeConnection()?.drop() }

    func close() async -> Bool {
        guard let last = takeConnection() else { return true }
        return await last.finish(deadline: .after(options.farewell))
    }

    private func takeConnection() -> SyslogConnection? {
        connection.withLock { connection in
            defer { connection = nil }
            return connection
        }
    }
}
