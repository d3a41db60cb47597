// The revocation lists in force, and their generation: each call can see at the cost of a load whether they have changed
// since its connection was judged.

import PosternIdentity
import Synchronization

/// Holds the revocation lists in force.
final class RevocationStore: Sendable {
    private let checker: Mutex<RevocationChecker>
    private let count = Atomic<UInt64>(1)

    init(_ checker: RevocationChecker) {
        self.checker = Mutex(checker)
    }

    /// The lists in force.
    var current: RevocationChecker { checker.withLock { $0 } }

    /// Grows with each replacement.
    var generation: UInt64 { count.load(ordering: .acquiring) }

    /// Puts new lists in force.
    func replace(_ new: RevocationChecker) {
        checker.withLock { $0 = new }
        // After the lists: who sees the new generation also sees them.
        count.add(1, ordering: .releasing)
    }
}
