// The circuit breaker: how many calls may knock at a door that does not open, and who waits rather than fails.

import PosternProtocol
import Synchronization

/// Decides, attempt by attempt, whether Vault is asked. A state machine without clock or I/O of its own.
///
/// While attempts succeed, all pass. After some failures in a row one attempt passes in each interval, which doubles up to a
/// second: a server that comes back is not met by everybody at once. Until the outage has lasted for the patience, others wait
/// for their turn: a failover is over in seconds. After that they are refused at once.
final class OutageGate: Sendable {
    enum Admission: Equatable {
        case pass
        case wait(until: ContinuousClock.Instant)
        case refuse
    }

    private struct State {
        var failures = 0
        var since = ContinuousClock.now
        var nextProbe = ContinuousClock.now
    }

    /// So many failures in a row are no accident.
    static let threshold = 3
    static let firstInterval: Duration = .milliseconds(50)
    static let longestInterval: Duration = .seconds(1)

    private let patience: Duration
    private let state = Mutex(State())

    init(patience: Duration) {
        self.patience = patience
    }

    /// Whether an attempt may be made now.
    /// - Parameter jitter: 0.5 to 1.5, so that many gateways do not knock together.
    func admit(at now: ContinuousClock.Instant, jitter: Double) -> Admission {
        state.withLock { state in
            guard state.failures >= Self.threshold else { return .pass }
            if now >= state.nextProbe {
                state.nextProbe = now + Self.interval(state.failures) * jitter
                return .pass
            }
            return state.since.duration(to: now) < patience ? .wait(until: state.nextProbe) : .refuse
        }
    }

    /// An attempt got an answer.
    func succeeded() {
        state.withLock { $0.failures = 0 }
    }

    /// An attempt got none.
    func failed(at now: ContinuousClock.Instant, jitter: Double) {
        state.withLock { state in
            if state.failures == 0 { state.since = now }
            state.failures += 1
            state.nextProbe = max(state.nextProbe, now + Self.interval(state.failures) * jitter)
        }
    }

    /// Since when nothing has been answered, or nil if that is not so.
    var outageSince: ContinuousClock.Instant? {
        state.withLock { $0.failures >= Self.threshold ? $0.since : nil }
    }

    private static func interval(_ failures: Int) -> Duration {
        min(firstInterval * (1 << min(max(failures - threshold, 0), 10)), longestInterval)
    }
}
