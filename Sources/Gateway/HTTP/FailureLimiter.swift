// How often an address may fail to authenticate, so that keys cannot be guessed and a flood of failures
// cannot fill the audit log.

import PosternProtocol
import Synchronization

/// Counts failed authentications per address and minute.
///
/// An address that has failed too often is refused for the rest of its minute, with a right key too:
/// otherwise it could go on guessing. The table is bounded; when it is full, all further addresses share one
/// count until older minutes have passed.
final class FailureLimiter: Sendable {
    /// What becomes of one attempt.
    enum Verdict: Equatable {
        /// The key was right.
        case admitted
        /// The key was wrong. `unrecorded` failures before this one have no record of their own.
        case failed(unrecorded: Int)
        /// Too many failures. Only the first of a minute is to be recorded.
        case limited(retryAfterSeconds: Int, isFirst: Bool)
    }

    fileprivate struct Window {
        var start: Timestamp
        var failures = 0
        var refusals = 0
        /// Refusals of earlier minutes that no record mentions yet.
        var unrecorded = 0
    }

    fileprivate struct State {
        var windows: [String: Window] = [:]
        var overflow: Window?
        var refused = 0
    }

    private static let length: Duration = .seconds(60)

    private let limit: Int
    private let maximumAddresses: Int
    private let clock: any WallClock
    private let state = Mutex(State())

    init(limit: Int, maximumAddresses: Int, clock: any WallClock) {
        self.limit = limit
        self.maximumAddresses = maximumAddresses
        self.clock = clock
    }

    /// How many attempts were refused without a look at the key.
    var refused: Int { state.withLock { $0.refused } }

    /// Judges and counts one attempt. Both happen in one step, so that attempts at the same time all count.
    func judge(_ address: String, isRight: Bool) -> Verdict {
        let now = clock.now()
        return state.withLock { state in
            let known = state.windows[address]
            if known == nil && isRight && !(state.isFull(maximumAddresses, now)) { return .admitted }
            let isOverflow = known == nil && state.isFull(maximumAddresses, now)
            var window = (isOverflow ? state.overflow : known) ?? Window(start: now)
            // A clock that was set back must not lock anybody out.
            let age = now.since(window.start)
            if age >= Self.length || age < .zero {
                window = Window(start: now, unrecorded: window.unrecorded + max(window.refusals - 1, 0))
            }
            let verdict = Self.judge(&window, limit: limit, isRight: isRight, now: now)
            if case .limited = verdict { state.refused += 1 }
            if isOverflow { state.overflow = window } else { state.windows[address] = window }
            return verdict
        }
    }

    private static func judge(_ window: inout Window, limit: Int, isRight: Bool, now: Timestamp) -> Verdict {
        guard window.failures < limit else {
            window.refusals += 1
            let left = (length - now.since(window.start)).components
            let seconds = Int(left.seconds) + (left.attoseconds > 0 ? 1 : 0)
            return .limited(retryAfterSeconds: seconds, isFirst: window.refusals == 1)
        }
        guard !isRight else { return .admitted }
        window.failures += 1
        defer { window.unrecorded = 0 }
        return .failed(unrecorded: window.unrecorded)
    }
}

extension FailureLimiter.State {
    /// Whether there is no room for another address, after forgetting those whose minute has passed.
    fileprivate mutating func isFull(_ maximum: Int, _ now: Timestamp) -> Bool {
        guard windows.count >= maximum else { return false }
        windows = windows.filter { entry in
            let age = now.since(entry.value.start)
            return age >= .zero && age < .seconds(60)
        }
        return windows.count >= maximum
    }
}
