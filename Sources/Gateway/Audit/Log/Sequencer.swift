// The thread that publishes: a few times a second it looks at what has become durable, and puts it into the published
// log. It holds up nobody: records are acknowledged without it.

import Dispatch
import PosternProtocol
import Synchronization
import TransparencyLog

/// The one publisher of an audit log.
final class Sequencer: Sendable {
    /// What is known about the published log.
    struct Status: Sendable {
        /// The last checkpoint.
        var size: UInt64 = 0
        /// Since when there has been a durable record that no checkpoint covers.
        var behindSince: ContinuousClock.Instant?
        /// Why publishing fails at present.
        var problem: String?
        /// Whether it has stopped for good, because what is on disk contradicts what was signed.
        var isContradicted = false
        var isStopping = false
        /// What is to be done on the thread, after the next publication.
        var work: [@Sendable (inout Publisher) -> Void] = []
    }

    private let status: Mutex<Status>
    private let bell = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private let interval: Duration
    private let retry: Duration
    private let durable: @Sendable () -> UInt64

    /// - Parameters:
    ///   - published: what the checkpoint covers that is there.
    ///   - interval: how often to look.
    ///   - durable: how many records are durable.
    init(published: UInt64, interval: Duration, retry: Duration, durable: @escaping @Sendable () -> UInt64) {
        status = Mutex(Status(size: published))
        self.interval = interval
        self.retry = retry
        self.durable = durable
    }

    /// What is known about the published log.
    var current: Status { status.withLock { $0 } }

    /// Runs something on the thread, soon.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (inout Publisher) throws -> Value
    ) async -> Result<Value, any Error> {
        await withCheckedContinuation { continuation in
            let work: @Sendable (inout Publisher) -> Void = { publisher in
                continuation.resume(returning: Result { try body(&publisher) })
            }
            let isTaken = status.withLock { status in
                guard !status.isStopping else { return false }
                status.work.append(work)
                return true
            }
            guard isTaken else {
                let error = SecretError(.auditUnavailable, "The audit log is closed: the gateway is shutting down.")
                return continuation.resume(returning: .failure(error))
            }
            bell.signal()
        }
    }

    /// Works until told to stop; then publishes what is left.
    func run(_ publisher: consuming Publisher) {
        var publisher = publisher
        var isHealthy = true
        while true {
            let isStopping = status.withLock { $0.isStopping }
            isHealthy = publish(&publisher)
            for work in status.withLock({ status in
                defer { status.work = [] }
                return status.work
            }) {
                work(&publisher)
            }
            if isStopping { break }
            let wait = isHealthy ? interval : max(interval, retry)
            _ = bell.wait(timeout: .now() + .microseconds(Int(wait / .microseconds(1))))
        }
        done.signal()
    }

    private func publish(_ publisher: inout Publisher) -> Bool {
        guard !status.withLock({ $0.isContradicted }) else { return false }
        let durable = durable()
        status.withLock { status in
            if durable > status.size, status.behindSince == nil { status.behindSince = .now }
        }
        do {
            try publisher.advance(to: durable)
            let size = publisher.published?.size ?? 0
            status.withLock { status in
                status.size = size
                status.behindSince = nil
                status.problem = nil
            }
            return true
        } catch {
            let size = publisher.published?.size ?? 0
            status.withLock { status in
                status.size = size
                if let contradiction = error as? Publisher.Contradiction {
                    status.isContradicted = true
                    status.problem = contradiction.message
                } else {
                    status.problem = "The audit log's checkpoint cannot be published. \(error)"
                }
            }
            return false
        }
    }

    /// Publishes what is durable, and waits until the thread has stopped. Any number of callers may.
    func stop() {
        status.withLock { $0.isStopping = true }
        bell.signal()
        done.wait()
        done.signal()
    }
}
