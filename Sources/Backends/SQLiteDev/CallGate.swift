// Lets calls in until the backend closes, and lets it close only when the last of them is out: a connection that
// is used after it was closed would crash the process.

import PosternProtocol
import Synchronization

/// Counts the calls that are running.
final class CallGate: Sendable {
    private struct State {
        var running = 0
        var isClosed = false
        var closer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// How many calls are running.
    var running: Int { state.withLock { $0.running } }

    /// Whether calls are refused.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Lets a call in.
    /// - Throws: `backend_unavailable` once it is closed.
    func enter() throws(SecretError) {
        try state.withLock { (state) throws(SecretError) in
            guard !state.isClosed else { throw SecretError(.backendUnavailable, "The secrets file is closed.") }
            state.running += 1
        }
    }

    /// Lets a call out.
    func leave() {
        let closer = state.withLock { state in
            state.running -= 1
            return state.running == 0 ? state.closer.take() : nil
        }
        closer?.resume()
    }

    /// Lets no call in any more, and waits until all are out.
    /// - Returns: false if somebody else has closed it.
    func close() async -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return false }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if state.running > 0 { state.closer = continuation }
                return state.running == 0
            }
            if isEmpty { continuation.resume() }
        }
        return true
    }
}
