// Bounds the records of those who could not prove who they are: a flood of them must not fill the audit log, which
// would stop service for everybody. What is not recorded one by one is counted into the next record.

import Synchronization

/// Lets so many records a second through, and counts the others.
public final class RecordLimiter: Sendable {
    private struct State {
        var second = ContinuousClock.now
        var recorded = 0
        var suppressed = 0
    }

    private let perSecond: Int
    private let state = Mutex(State())

    /// Makes a limiter.
    /// - Parameter perSecond: how many records are let through each second.
    public init(perSecond: Int = 20) {
        self.perSecond = perSecond
    }

    /// Asks to write a record.
    /// - Returns: how many were not let through since the last one that was; nil if this one is not either.
    public func admit() -> Int? {
        state.withLock { state in
            let now = ContinuousClock.now
            if state.second.duration(to: now) >= .seconds(1) {
                state.second = now
                state.recorded = 0
            }
            guard state.recorded < perSecond else {
                state.suppressed += 1
                return nil
            }
            state.recorded += 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
    }
}
