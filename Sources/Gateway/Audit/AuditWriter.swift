// The thread that writes: takes whatever waits, makes it durable in one go, tells those who waited, and
// looks after the room for the next segment.

import Dispatch
import PosternProtocol
import Synchronization

/// The one writer of an audit log, and its bell.
final class AuditWriter: Sendable {
    let queue: Mutex<AuditQueue>
    private let bell = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private let retry: Duration

    init(queue: AuditQueue, retry: Duration) {
        self.queue = Mutex(queue)
        self.retry = retry
    }

    /// Wakes the writer.
    func ring() { bell.signal() }

    /// Waits until the writer has stopped. Any number of callers may.
    func join() {
        done.wait()
        done.signal()
    }

    /// Works until the log is closed.
    func run(_ segments: consuming SegmentWriter) {
        var segments = segments
        var batch = AuditBatch()
        var isHealthy = segments.hasReserve
        var lastAttempt = ContinuousClock.now
        while true {
            switch queue.withLock({ $0.next(&batch) }) {
            case .write:
                isHealthy = write(&batch, to: &segments) && isHealthy
                if isHealthy && !segments.hasReserve { isHealthy = recover(&segments) }
            case .wait:
                if isHealthy {
                    bell.wait()
                } else {
                    _ = bell.wait(timeout: .now() + .milliseconds(Int(retry / .milliseconds(1))))
                }
            case .stop:
                segments.close()
                done.signal()
                return
            }
            if !isHealthy, lastAttempt.duration(to: .now) >= retry {
                isHealthy = recover(&segments)
                lastAttempt = .now
            }
        }
    }

    /// Writes a batch and tells those who wait for it.
    /// - Returns: whether it is durable.
    private func write(_ batch: inout AuditBatch, to segments: inout SegmentWriter) -> Bool {
        do throws(AuditFileError) {
            let first = try segments.commit(&batch.bytes, count: batch.count)
            let next = segments.nextIndex
            queue.withLock { $0.markDurable(next) }
            batch.resume(.success(first))
            return true
        } catch {
            // All that wait are told, and nobody new is let in: an error now is better than one later.
            let refused = queue.withLock { $0.setBlockage(error.description) }
            let answer = SecretError(.auditUnavailable, "The audit log cannot be written. \(error)")
            batch.resume(.failure(answer))
            for batch in refused { batch.resume(.failure(answer)) }
            return false
        }
    }

    /// Tries to set aside room, and to get over a failed write.
    /// - Returns: whether all is well again.
    @discardableResult
    func recover(_ segments: inout SegmentWriter) -> Bool {
        var problem: String?
        do throws(AuditFileError) {
            try segments.recover()
        } catch {
            problem = error.description
        }
        let shortage = problem
        let canWrite = segments.canWrite
        queue.withLock { queue in
            queue.setShortage(shortage)
            // Nobody waits while the log is blocked, so nobody is to be told.
            if canWrite { _ = queue.setBlockage(nil) }
        }
        return problem == nil
    }
}
