// A thread for what can block: files. What hangs there holds up nothing but its sink.

import NIOPosix
import PosternConcurrency
import PosternProtocol
import Synchronization

/// One thread, for one thing at a time.
final class BlockingThread: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let isBusy = Atomic(false)

    init() { pool.start() }

    deinit {
        // What hangs is not waited for.
        pool.shutdownGracefully { _ in }
    }

    /// Does something on the thread, and waits no longer than the deadline.
    /// - Parameters:
    ///   - what: what is waited for, for the message.
    ///   - body: what to do. It ends by itself, also when nobody waits any more.
    func run<Value: Sendable>(
        _ what: String, deadline: Deadline, _ body: @escaping @Sendable () -> Value
    ) async -> Result<Value, SinkFailure> {
        // One that hangs must not have others pile up behind it.
        guard !isBusy.exchange(true, ordering: .acquiring) else {
            return .failure(SinkFailure(message: "still waiting for \(what)"))
        }
        let result = SharedResult<Value>()
        pool.submit { [self] state in
            let value: Result<Value, SecretError> =
                switch state {
                case .active: .success(body())
                case .cancelled: .failure(SecretError(.cancelled, "Delivery has stopped."))
                }
            isBusy.store(false, ordering: .releasing)
            result.complete(value)
        }
        do throws(SecretError) {
            return .success(try await result.value(deadline: deadline, what: what))
        } catch {
            return .failure(
                SinkFailure(message: error.code == .cancelled ? "delivery was stopped" : "waited too long for \(what)"))
        }
    }
}
