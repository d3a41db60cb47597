// Tells callers that their deadlines have passed: one thread for all, since a timer for each call costs more than the
// call.

import Dispatch
import Foundation
import PosternProtocol
import Synchronization

/// Things to do at deadlines, most of which are called off before.
final class DeadlineWatch: Sendable {
    private struct State {
        var entries: [Int: (deadline: Deadline, action: @Sendable () -> Void)] = [:]
        var next = 0
        var isRunning = false
        /// When the thread looks next.
        var wakesAt: Deadline?
    }

    private static let idleTime: Duration = .seconds(30)
    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    /// Has something done at a deadline, on the watch's own thread.
    /// - Returns: a number to call it off with.
    func add(_ deadline: Deadline, _ action: @escaping @Sendable () -> Void) -> Int {
        enum Step { case start, ring }
        let (number, step) = state.withLock { state -> (Int, Step?) in
            let number = state.next
            state.next += 1
            state.entries[number] = (deadline, action)
            guard state.isRunning else {
                state.isRunning = true
                return (number, .start)
            }
            guard let wakesAt = state.wakesAt, deadline < wakesAt else { return (number, nil) }
            state.wakesAt = deadline
            return (number, .ring)
        }
        switch step {
        case .start: Thread { [self] in watch() }.start()
        case .ring: bell.signal()
        case nil: break
        }
        return number
    }

    /// Calls something off, unless it was done.
    func remove(_ number: Int) {
        // Dropped outside of the lock.
        _ = state.withLock { $0.entries.removeValue(forKey: number) }
    }

    private func watch() {
        var isIdle = false
        while true {
            let due = state.withLock { state -> [@Sendable () -> Void]? in
                if state.entries.isEmpty && isIdle {
                    state.isRunning = false
                    state.wakesAt = nil
                    return nil
                }
                isIdle = state.entries.isEmpty
                let passed = state.entries.filter { $0.value.deadline.hasPassed }
                for number in passed.keys { state.entries[number] = nil }
                state.wakesAt = state.entries.values.map(\.deadline).min() ?? .after(Self.idleTime)
                return passed.values.map(\.action)
            }
            guard let due else { return }
            for action in due { action() }
            guard let wakesAt = state.withLock({ $0.wakesAt }) else { return }
            _ = bell.wait(timeout: DispatchTime(wakesAt))
        }
    }
}
