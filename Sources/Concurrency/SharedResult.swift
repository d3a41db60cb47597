// One piece of work that many tasks wait for, each no longer than its own deadline.

public import PosternProtocol
import Synchronization

/// A result that is not there yet: what many tasks would otherwise each work out. The work goes on whoever stops
/// waiting.
public final class SharedResult<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, SecretError>?
        var waiting: [Int: CheckedContinuation<Result<Value, SecretError>, Never>] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    /// Makes a result that is not there yet.
    public init() {}

    /// Hands the result to all who wait, and to all who come later.
    /// - Parameter result: the result. A second one would be ignored by those who have the first.
    public func complete(_ result: Result<Value, SecretError>) {
        let waiting = state.withLock { state in
            state.result = result
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for waiter in waiting { waiter.resume(returning: result) }
    }

    /// Waits for the result.
    /// - Parameters:
    ///   - deadline: when this caller stops waiting.
    ///   - what: what is waited for, for the message.
    /// - Throws: the work's error, or this caller's own `deadline_exceeded` or `cancelled`.
    public func value(deadline: Deadline, what: String) async throws(SecretError) -> Value {
        let waiter = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        let late = SecretError(.deadlineExceeded, "The deadline passed while waiting for \(what).")
        let cancelled = SecretError(.cancelled, "The caller gave up while waiting for \(what).")
        let timer = Task {
            // The only error is cancellation, which means that the wait is over.
            guard (try? await Task.sleep(until: deadline.instant, clock: .continuous)) != nil else { return }
            giveUp(waiter, late)
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Result<Value, SecretError>? in
                    if let result = state.result { return result }
                    // A cancellation or deadline from before now has found nobody to wake.
                    if Task.isCancelled { return .failure(cancelled) }
                    if deadline.hasPassed { return .failure(late) }
                    state.waiting[waiter] = continuation
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            giveUp(waiter, cancelled)
        }.get()
    }

    private func giveUp(_ waiter: Int, _ error: SecretError) {
        state.withLock { $0.waiting.removeValue(forKey: waiter) }?.resume(returning: .failure(error))
    }
}
