import PosternProtocol
import Synchronization

/// Lets a test hold the store's answers back, and fail them.
final class Gate: Sendable {
    private struct State {
        var isOpen = true
        var failure: SecretError?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func shut() { state.withLock { $0.isOpen = false } }

    func open(failing failure: SecretError? = nil) {
        let waiters = state.withLock { state in
            state.isOpen = true
            state.failure = failure
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func pass() async throws(SecretError) {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
