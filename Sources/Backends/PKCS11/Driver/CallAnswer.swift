// What a caller waits for while a thread is at work for it: the answer, its deadline or its cancellation.

import PosternProtocol
import Synchronization

/// An answer for one caller.
final class CallAnswer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case waiting(CheckedContinuation<Result<Value, SecretError>, Never>)
        case done(Result<Value, SecretError>)
    }

    private let state = Mutex(State.open)

    /// Gives the answer; later ones are ignored.
    func complete(_ result: Result<Value, SecretError>) {
        let waiter = state.withLock { state -> CheckedContinuation<Result<Value, SecretError>, Never>? in
            defer { if case .done = state {} else { state = .done(result) } }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        waiter?.resume(returning: result)
    }

    /// Waits for it.
    /// - Throws: the error that it is; `deadline_exceeded`, `cancelled`.
    func value(_ what: String, deadline: Deadline, _ watch: DeadlineWatch) async throws(SecretError) -> Value {
        let alarm = watch.add(deadline) { [self] in
            complete(.failure(SecretError(.deadlineExceeded, "The deadline passed while \(what).")))
        }
        defer { watch.remove(alarm) }
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Result<Value, SecretError>? in
                    if case .done(let result) = state { return result }
                    state = .waiting(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            complete(.failure(SecretError(.cancelled, "The caller gave up while \(what).")))
        }.get()
    }
}
