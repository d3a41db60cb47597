// What expires and is fetched anew in time: credentials, access tokens.

import PosternConcurrency
import PosternProtocol
import Synchronization

/// Keeps something that expires. Fetches it once for all who need it, before it expires without making anybody wait,
/// and goes on with the last good one while that lives and no new one is to be had.
final class Renewing<Value: Sendable>: Sendable {
    /// What was fetched.
    struct Fetched: Sendable {
        let value: Value
        /// Nil if it does not expire.
        let expiresAt: Timestamp?
    }

    /// Something that can be used now.
    struct Lease: Sendable {
        let value: Value
        /// Tells one fetch from the next.
        fileprivate let number: Int
    }

    private struct State {
        var current: Fetched?
        var number = 0
        var flight: SharedResult<Lease>?
        /// Not before this is fetched again what still lives: neither a service that is away nor one that hands out
        /// the same again is asked at every call.
        var refetchAt: Timestamp?
        /// Why the last fetch failed, if it did.
        var trouble: SecretError?
    }

    /// How long a fetch may take, however short the time of those who wait for it.
    private static var fetchTime: Duration { .seconds(15) }
    private static var refetchPause: Duration { .seconds(10) }

    private let what: String
    private let margin: Duration
    private let clock: any WallClock
    private let fetch: @Sendable (Deadline) async -> Result<Fetched, SecretError>
    private let state = Mutex(State())

    /// Makes one without fetching anything.
    /// - Parameters:
    ///   - what: what is kept, for messages.
    ///   - margin: how long before it expires a new one is fetched.
    ///   - fetch: fetches it.
    init(
        _ what: String, margin: Duration, clock: any WallClock,
        fetch: @escaping @Sendable (Deadline) async throws(SecretError) -> Fetched
    ) {
        self.what = what
        self.margin = margin
        self.clock = clock
        self.fetch = { deadline in
            do throws(SecretError) {
                return .success(try await fetch(deadline))
            } catch {
                return .failure(error)
            }
        }
    }

    private enum Step {
        case use(Lease)
        case useAndFetch(Lease, SharedResult<Lease>)
        case wait(SharedResult<Lease>)
        case fetchAndWait(SharedResult<Lease>)
    }

    /// The last good one, if there is one and it lives.
    var current: Value? {
        let now = clock.now()
        return state.withLock { state in
            state.current.flatMap { $0.expiresAt.map { now < $0 } ?? true ? $0.value : nil }
        }
    }

    /// Why what lives now cannot be renewed, if that is so; a person should know before it expires.
    var trouble: String? { state.withLock { $0.trouble?.message } }

    /// What can be used now.
    /// - Throws: the fetch's error if there is nothing; `deadline_exceeded`, `cancelled`.
    func lease(deadline: Deadline) async throws(SecretError) -> Lease {
        try await take(state.withLock { decide(&$0, now: clock.now()) }, deadline)
    }

    /// Something else than what was refused.
    /// - Parameter refused: what the service did not accept although it had not expired.
    /// - Returns: what has replaced it, if that is so; else what a new fetch gives, which may be the same again.
    func replacement(for refused: Lease, deadline: Deadline) async throws(SecretError) -> Lease {
        let step: Step = state.withLock { state in
            if state.number == refused.number { state.current = nil }
            return decide(&state, now: clock.now())
        }
        return try await take(step, deadline)
    }

    private func decide(_ state: inout State, now: Timestamp) -> Step {
        func flight(_ state: inout State) -> (SharedResult<Lease>, isNew: Bool) {
            if let flight = state.flight { return (flight, false) }
            let flight = SharedResult<Lease>()
            state.flight = flight
            return (flight, true)
        }
        guard let current = state.current, current.expiresAt.map({ now < $0 }) ?? true else {
            let (flight, isNew) = flight(&state)
            return isNew ? .fetchAndWait(flight) : .wait(flight)
        }
        let lease = Lease(value: current.value, number: state.number)
        let isFresh = current.expiresAt.map { now < $0.advanced(by: .zero - margin) } ?? true
        guard !isFresh, state.flight == nil, state.refetchAt.map({ $0 <= now }) ?? true else { return .use(lease) }
        return .useAndFetch(lease, flight(&state).0)
    }

    private func take(_ step: Step, _ deadline: Deadline) async throws(SecretError) -> Lease {
        switch step {
        case .use(let lease):
            return lease
        case .useAndFetch(let lease, let flight):
            start(flight)
            return lease
        case .wait(let flight):
            return try await flight.value(deadline: deadline, what: what)
        case .fetchAndWait(let flight):
            start(flight)
            return try await flight.value(deadline: deadline, what: what)
        }
    }

    /// Fetches, whoever stops waiting for it.
    private func start(_ flight: SharedResult<Lease>) {
        Task {
            let result = await fetch(.after(Self.fetchTime))
            flight.complete(settle(result, now: clock.now()))
        }
    }

    private func settle(_ result: Result<Fetched, SecretError>, now: Timestamp) -> Result<Lease, SecretError> {
        state.withLock { state in
            state.flight = nil
            state.refetchAt = now.advanced(by: Self.refetchPause)
            do throws(SecretError) {
                let fetched = try result.get()
                guard fetched.expiresAt.map({ now < $0 }) ?? true else {
                    throw SecretError(
                        .keyUnavailable,
                        "\(what) had expired when they came; see whether this machine's clock is right.")
                }
                state.current = fetched
                state.number += 1
                state.trouble = nil
                return .success(Lease(value: fetched.value, number: state.number))
            } catch {
                state.trouble = error
                return .failure(error)
            }
        }
    }
}
