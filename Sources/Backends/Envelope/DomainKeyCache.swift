// Unwrapped domain keys in memory: for a configured time, bounded in number, each unwrapped once however
// many ask for it, and kept in use through an outage of the key wrapper.

import PosternConcurrency
import PosternProtocol
import Synchronization

final class DomainKeyCache: Sendable {
    /// What is asked for.
    enum Slot: Hashable {
        /// The key that new envelopes of a domain use.
        case current(domain: String)
        /// The key that an envelope names.
        case named(domain: String, DomainKeyName)

        var domain: String {
            switch self {
            case .current(let domain), .named(let domain, _): domain
            }
        }
    }

    private struct Entry {
        let key: DomainKey
        let loadedAt: Timestamp
        var renewAfter: Timestamp
    }

    private struct State {
        var entries: [Slot: Entry] = [:]
        var loads: [Slot: SharedResult<DomainKey>] = [:]
    }

    /// What to do, decided under the lock and done outside.
    private enum Step {
        case use(DomainKey)
        case useAndLoad(DomainKey, SharedResult<DomainKey>)
        case wait(SharedResult<DomainKey>)
        case loadAndWait(SharedResult<DomainKey>)
    }

    private let state = Mutex(State())
    private let options: EnvelopeOptions
    private let clock: any WallClock

    init(options: EnvelopeOptions, clock: any WallClock) {
        self.options = options
        self.clock = clock
    }

    /// A key from memory, or from `load`, which runs once for all who ask meanwhile.
    ///
    /// A key past its lifetime is used once more while it is renewed in the background, so no reader waits for
    /// the HSM; past lifetime and grace it is not used.
    func key(
        _ slot: Slot, deadline: Deadline, load: @escaping @Sendable () async -> Result<DomainKey, SecretError>
    ) async throws(SecretError) -> DomainKey {
        let what = "the key of domain \(slot.domain)"
        switch step(for: slot) {
        case .use(let key):
            return key
        case .useAndLoad(let key, let result):
            start(slot, result, load)
            return key
        case .wait(let result):
            return try await result.value(deadline: deadline, what: what)
        case .loadAndWait(let result):
            start(slot, result, load)
            return try await result.value(deadline: deadline, what: what)
        }
    }

    /// How many keys could serve now without a key wrapper.
    var usableCount: Int {
        let now = clock.now()
        return state.withLock { $0.entries.values.count { isUsable($0, now) } }
    }

    /// Forgets keys past their lifetime and grace.
    func dropExpired() {
        let now = clock.now()
        let dropped = state.withLock { state in
            let expired = state.entries.filter { !isUsable($0.value, now) }
            for slot in expired.keys { state.entries[slot] = nil }
            return expired
        }
        // Their memory is wiped here, outside the lock.
        _ = dropped
    }

    /// Forgets which key new envelopes of a domain use: there is a newer one. A load under way is not kept either.
    func forgetCurrent(_ domain: String) {
        forget { $0 == .current(domain: domain) }
    }

    /// Forgets which key new envelopes of a domain use if it is another than this.
    func forgetCurrent(_ domain: String, unless name: DomainKeyName) {
        let held = state.withLock { $0.entries[.current(domain: domain)]?.key.name }
        if held != name { forgetCurrent(domain) }
    }

    /// Forgets every key of a domain.
    func forgetAll(_ domain: String) {
        forget { $0.domain == domain }
    }

    private func forget(_ concerns: (Slot) -> Bool) {
        let dropped = state.withLock { state in
            for slot in state.loads.keys where concerns(slot) { state.loads[slot] = nil }
            let dropped = state.entries.filter { concerns($0.key) }
            for slot in dropped.keys { state.entries[slot] = nil }
            return dropped
        }
        // Their memory is wiped here, outside the lock.
        _ = dropped
    }

    private func step(for slot: Slot) -> Step {
        let now = clock.now()
        return state.withLock { state in
            let running = state.loads[slot]
            if let entry = state.entries[slot], isUsable(entry, now) {
                if running != nil || isFresh(entry, now) { return .use(entry.key) }
                let result = SharedResult<DomainKey>()
                state.loads[slot] = result
                return .useAndLoad(entry.key, result)
            }
            if let running { return .wait(running) }
            let result = SharedResult<DomainKey>()
            state.loads[slot] = result
            return .loadAndWait(result)
        }
    }

    /// Loads in a task of its own: the callers that wait for it may all give up, and others may come.
    private func start(
        _ slot: Slot, _ result: SharedResult<DomainKey>,
        _ load: @escaping @Sendable () async -> Result<DomainKey, SecretError>
    ) {
        Task {
            let loaded = await load()
            finish(slot, loaded, result)
            result.complete(loaded)
        }
    }

    private func finish(
        _ slot: Slot, _ loaded: Result<DomainKey, SecretError>, _ result: SharedResult<DomainKey>
    ) {
        let now = clock.now()
        state.withLock { state in
            // Somebody had the slot forgotten meanwhile: what was loaded may be from before.
            guard state.loads[slot] === result else { return }
            state.loads[slot] = nil
            switch loaded {
            case .success(let key):
                let entry = Entry(key: key, loadedAt: now, renewAfter: now.advanced(by: options.keyLifetime))
                state.entries[slot] = entry
                state.entries[.named(domain: slot.domain, key.name)] = entry
                evict(&state)
            case .failure(let error) where error.code == .integrityFailure:
                // Not an outage: the key or its record is no longer what it was.
                state.entries[slot] = nil
            case .failure:
                state.entries[slot]?.renewAfter = now.advanced(by: options.renewalInterval)
            }
        }
    }

    private func evict(_ state: inout State) {
        while state.entries.count > max(options.maximumCachedKeys, 1),
            let oldest = state.entries.min(by: { $0.value.loadedAt < $1.value.loadedAt })
        {
            state.entries[oldest.key] = nil
        }
    }

    private func isUsable(_ entry: Entry, _ now: Timestamp) -> Bool {
        now.since(entry.loadedAt) < options.keyLifetime + options.keyGrace
    }

    private func isFresh(_ entry: Entry, _ now: Timestamp) -> Bool {
        // A clock set back must not make a key live longer.
        now < entry.renewAfter && now >= entry.loadedAt
    }
}
