// A log of a test's own, and its delivery in this process.

import Foundation
import Logging
import NIOPosix
import PosternAudit
import PosternDelivery
import PosternProtocol
import Synchronization
import TestPrograms

/// A log, and where it is delivered to.
final class LogUnderDelivery: Sendable {
    let directory: URL
    private let state = Mutex<(log: AuditLog, delivery: AuditDelivery, task: Task<Void, Never>)?>(nil)
    private let count = Atomic<Int>(0)

    var auditDirectory: String { directory.appending(path: "audit").path }

    init() throws { directory = try makeTemporaryDirectory("delivery") }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func file(_ name: String) -> String { directory.appending(path: name).path }

    /// Opens the log and begins to deliver.
    func start(_ sinks: [SinkOptions], segmentBytes: Int = 1 << 20) throws {
        let log = try AuditLog.open(directory: auditDirectory, options: AuditLog.Options(segmentBytes: segmentBytes))
        let delivery = try AuditDelivery(
            sinks: sinks, audit: log, directory: auditDirectory, product: Records.product,
            group: MultiThreadedEventLoopGroup.singleton, clock: SystemWallClock(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let task = Task { await delivery.run() }
        state.withLock { $0 = (log, delivery, task) }
    }

    /// Ends delivery, and closes the log.
    func stop() async {
        guard let state = state.withLock({ $0 }) else { return }
        state.task.cancel()
        await state.task.value
        state.log.close()
        self.state.withLock { $0 = nil }
    }

    var log: AuditLog? { state.withLock { $0?.log } }
    var statuses: [SinkStatus] { state.withLock { $0?.delivery.statuses } ?? [] }
    var records: Int { count.load(ordering: .relaxed) }

    /// Appends records that say their own number.
    func append(_ number: Int, padding: Int = 0) async throws {
        guard let log else { throw HarnessError(description: "The log is not open.") }
        var left = number
        while left > 0 {
            let some = min(left, padding > 1_000 ? 1 : 50)
            let start = count.add(some, ordering: .relaxed).oldValue
            let batch = (start..<start + some).map { number in
                var record = Records.kinds(of: "secret.read")[0]
                record.requestID = "request-\(number)"
                record.reason = Records.hostile[number % Records.hostile.count]
                record.detail = padding > 0 ? ["padding": String(repeating: "x", count: padding)] : [:]
                return record
            }
            _ = try await log.append(contentsOf: batch)
            left -= some
        }
    }

    /// Waits until a sink has everything.
    func caughtUp(_ name: String = "sink") async throws {
        try await eventually("\(name) has everything") {
            guard let log else { return false }
            return log.nextIndex == UInt64(records)
                && statuses.contains { $0.name == name && $0.lag == 0 && $0.problem == nil }
        }
    }
}
