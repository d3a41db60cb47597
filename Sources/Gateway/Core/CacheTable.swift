// The memory of the read cache: a bounded table with second-chance eviction, and the questions to the store
// that are under way.

import PosternConcurrency
import PosternProtocol
import Synchronization

/// What the read cache remembers. Every method takes the lock once and calls nothing else meanwhile.
final class CacheTable: Sendable {
    /// What is known of one secret.
    struct Entry: Sendable {
        let secret: SecretVersion
        /// When the store was asked for it.
        let fetchedAt: ContinuousClock.Instant
        /// When the store last failed to answer for it.
        var failedAt: ContinuousClock.Instant?
        /// Used again since it came, or since the eviction hand last came by. What is read once goes first.
        var isRecent = false
    }

    fileprivate struct State {
        var entries: [SecretPath: Entry] = [:]
        var bytes = 0
        /// The order in which the eviction hand visits entries. May name forgotten ones; each path once.
        var ring: [SecretPath] = []
        var inRing: Set<SecretPath> = []
        var hand = 0
        var flights: [SecretPath: SharedResult<SecretVersion>] = [:]
    }

    private let maximumSecrets: Int
    private let maximumBytes: Int
    private let state = Mutex(State())

    init(maximumSecrets: Int, maximumBytes: Int) {
        self.maximumSecrets = maximumSecrets
        self.maximumBytes = maximumBytes
    }

    var usage: (secrets: Int, bytes: Int) {
        state.withLock { ($0.entries.count, $0.bytes) }
    }

    func find(_ path: SecretPath) -> Entry? {
        state.withLock { state in
            guard let entry = state.entries[path] else { return nil }
            if !entry.isRecent { state.entries[path]?.isRecent = true }
            return entry
        }
    }

    /// Drops a secret, and detaches a question under way: its answer may be from before the change.
    func forget(_ path: SecretPath) {
        state.withLock { state in
            state.drop(path)
            state.flights[path] = nil
        }
    }

    /// The question under way for a secret, or a new one that the caller must ask.
    func joinFlight(for path: SecretPath) -> (flight: SharedResult<SecretVersion>, isNew: Bool) {
        state.withLock { state in
            if let flight = state.flights[path] { return (flight, false) }
            let flight = SharedResult<SecretVersion>()
            state.flights[path] = flight
            return (flight, true)
        }
    }

    /// Notes that the store did not answer for a secret, or not soon enough.
    func noteFailure(_ path: SecretPath) {
        state.withLock { $0.entries[path]?.failedAt = .now }
    }

    /// Takes in the store's answer, unless the secret was changed while it was on its way.
    func land(
        _ flight: SharedResult<SecretVersion>, for path: SecretPath, _ result: Result<SecretVersion, SecretError>,
        askedAt: ContinuousClock.Instant
    ) {
        state.withLock { state in
            guard state.flights[path] === flight else { return }
            state.flights[path] = nil
            switch result {
            case .success(let secret):
                state.drop(path)
                state.add(path, Entry(secret: secret, fetchedAt: askedAt))
                while state.entries.count > maximumSecrets || state.bytes > maximumBytes {
                    guard state.evictOne() else { break }
                }
            case .failure(let error) where error.code.isTransient:
                state.entries[path]?.failedAt = .now
            case .failure:
                state.drop(path)
            }
        }
    }
}

extension CacheTable.State {
    mutating func add(_ path: SecretPath, _ entry: CacheTable.Entry) {
        entries[path] = entry
        bytes += entry.secret.payload.byteCount
        if inRing.insert(path).inserted { ring.append(path) }
        // What was dropped by changes stays in the ring until the hand comes by; it must not pile up meanwhile.
        if ring.count > 2 * max(entries.count, 1_024) {
            ring.removeAll { entries[$0] == nil }
            inRing = Set(ring)
            hand = 0
        }
    }

    mutating func drop(_ path: SecretPath) {
        guard let entry = entries.removeValue(forKey: path) else { return }
        bytes -= entry.secret.payload.byteCount
    }

    /// Moves the hand on to an entry that was not used since it last came by, and drops that.
    mutating func evictOne() -> Bool {
        while !ring.isEmpty {
            if hand >= ring.count { hand = 0 }
            let path = ring[hand]
            if let entry = entries[path], entry.isRecent {
                entries[path]?.isRecent = false
                hand += 1
                continue
            }
            let found = entries[path] != nil
            drop(path)
            inRing.remove(path)
            ring.swapAt(hand, ring.count - 1)
            ring.removeLast()
            if found { return true }
        }
        return false
    }
}
