// State that this target's own threads share and wait on. Never for Swift's cooperative threads, which must not block.

import Dispatch
import PosternProtocol
import Synchronization

/// A lock with state, on which a thread can wait until the state is as it needs it.
final class Monitor<State: Sendable>: Sendable {
    private struct Guarded {
        var state: State
        var waiting: [DispatchSemaphore] = []
    }

    private let guarded: Mutex<Guarded>

    init(_ state: State) {
        self.guarded = Mutex(Guarded(state: state))
    }

    /// Looks at the state.
    func read<R: Sendable>(_ body: (State) -> R) -> R {
        guarded.withLock { body($0.state) }
    }

    /// Changes the state, and wakes all that wait.
    func change<R: Sendable>(_ body: (inout State) -> R) -> R {
        let (result, waiting) = guarded.withLock { guarded in
            defer { guarded.waiting = [] }
            return (body(&guarded.state), guarded.waiting)
        }
        for bell in waiting { bell.signal() }
        return result
    }

    /// Waits until `attempt` returns something; it is made again after each change. It may change the state, but
    /// nobody is woken by that.
    /// - Returns: what it returned, or nil if the deadline passed first.
    /// - Throws: what it throws, at once.
    func wait<R: Sendable, E: Error>(
        until deadline: Deadline, _ attempt: (inout State) throws(E) -> R?
    ) throws(E) -> R? {
        while true {
            var bell: DispatchSemaphore?
            let outcome = guarded.withLock { guarded -> Result<R?, E> in
                do throws(E) {
                    if let value = try attempt(&guarded.state) { return .success(value) }
                    let mine = DispatchSemaphore(value: 0)
                    guarded.waiting.append(mine)
                    bell = mine
                    return .success(nil)
                } catch {
                    return .failure(error)
                }
            }
            if let value = try outcome.get() { return value }
            guard let bell else { continue }
            if bell.wait(timeout: DispatchTime(deadline)) == .timedOut, deadline.hasPassed { return nil }
        }
    }
}

extension DispatchTime {
    /// The deadline on Dispatch's clock, no more than an hour away.
    init(_ deadline: Deadline) {
        let seconds = min(max(deadline.remaining / .seconds(1), 0), 3_600)
        self = .now() + .nanoseconds(Int(seconds * 1_000_000_000) + 1)
    }
}
