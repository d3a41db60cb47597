// Revocation lists come with a date by which the next is due. One that is overdue may lack who was revoked since: it is
// said at start, at reload, and as time passes.

import Logging
import PosternCore
import PosternIdentity
import PosternProtocol
import Synchronization

/// Knows when the revocation lists in force are due to be replaced.
final class RevocationWatch: Sendable {
    private struct State {
        var checker: RevocationChecker
        var hasWarned = false
    }

    private let state: Mutex<State>
    private let logger: Logger

    init(_ checker: RevocationChecker, logger: Logger) {
        state = Mutex(State(checker: checker))
        self.logger = logger
    }

    /// New lists are in force.
    func replace(_ checker: RevocationChecker) {
        state.withLock { $0 = State(checker: checker) }
    }

    /// Warns of lists that are overdue, once for each set of lists.
    func look(now: Timestamp) {
        let overdue: [RevocationList] = state.withLock { state in
            guard !state.hasWarned else { return [] }
            let overdue = state.checker.lists.filter { $0.isExpired(at: now) }
            state.hasWarned = !overdue.isEmpty
            return overdue
        }
        for list in overdue {
            logger.warning(
                "a revocation list is overdue and may lack who was revoked since: fetch a new one and send SIGHUP",
                metadata: ["file": "\(list.file)", "next_update": "\(list.nextUpdate.map(\.description) ?? "none")"])
        }
    }

    /// When the first of the lists is due to be replaced, for metrics.
    var gauges: [Gauge] {
        guard let due = state.withLock({ $0.checker.nextUpdate }) else { return [] }
        return [
            Gauge(
                "postern_crl_next_update_seconds", "When the first revocation list is due to be replaced (Unix time).",
                Double(due.microseconds / 1_000_000)
            )
        ]
    }
}
