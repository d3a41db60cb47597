// Credentials and tokens that expire.

import PosternConcurrency
import PosternProtocol
import Synchronization
import Testing

@testable import CloudKMS

/// A source that a test controls: counts what is fetched, and fails when told to.
private final class Source: Sendable {
    struct State {
        var count = 0
        var lifetime: Duration? = .seconds(3_600)
        var error: SecretError?
    }

    let clock = TestClock()
    let state = Mutex(State())
    /// Fetches wait for it.
    let gate = Mutex<SharedResult<Void>?>(nil)

    var count: Int { state.withLock { $0.count } }
    func fail(_ error: SecretError?) { state.withLock { $0.error = error } }

    func renewing(margin: Duration = .seconds(300)) -> Renewing<Int> {
        Renewing("the numbers", margin: margin, clock: clock) { [self] (deadline) throws(SecretError) in
            if let gate = gate.withLock({ $0 }) { try await gate.value(deadline: deadline, what: "the gate") }
            let (number, lifetime, error) = state.withLock { state in
                state.count += 1
                return (state.count, state.lifetime, state.error)
            }
            if let error { throw error }
            return Renewing.Fetched(value: number, expiresAt: lifetime.map { clock.now().advanced(by: $0) })
        }
    }
}

@Suite struct `What expires` {
    private let source = Source()
    private let away = SecretError(.keyUnavailable, "The source is away.")

    @Test func `it is fetched once for all who need it`() async throws {
        let gate = SharedResult<Void>()
        source.gate.withLock { $0 = gate }
        let renewing = source.renewing()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await renewing.lease(deadline: soon).value } }
            gate.complete(.success(()))
            for try await value in group { #expect(value == 1) }
        }
        #expect(source.count == 1)
        #expect(try await renewing.lease(deadline: soon).value == 1)
    }

    @Test func `before it expires a new one is fetched, and nobody waits for that`() async throws {
        let renewing = source.renewing()
        #expect(try await renewing.lease(deadline: soon).value == 1)
        source.clock.advance(.seconds(3_301))
        let gate = SharedResult<Void>()
        source.gate.withLock { $0 = gate }
        #expect(try await renewing.lease(deadline: soon).value == 1)
        gate.complete(.success(()))
        try await eventually { try await renewing.lease(deadline: soon).value == 2 }
        #expect(source.count == 2)
    }

    @Test func `the last good one is used while it lives and no other is to be had, and not after`() async throws {
        let renewing = source.renewing()
        _ = try await renewing.lease(deadline: soon)
        source.fail(away)
        source.clock.advance(.seconds(3_400))
        for _ in 0..<20 {
            #expect(try await renewing.lease(deadline: soon).value == 1)
        }
        try await eventually { source.count == 2 }
        // Who was refused is not asked at every call.
        for _ in 0..<20 { #expect(try await renewing.lease(deadline: soon).value == 1) }
        #expect(source.count == 2)
        source.clock.advance(.seconds(201))
        await expectError(.keyUnavailable, containing: ["away"]) { try await renewing.lease(deadline: soon) }
        #expect(renewing.current == nil)
        source.fail(nil)
        #expect(try await renewing.lease(deadline: soon).value > 2)
    }

    @Test func `what a service refuses is replaced, once for all whom it refused`() async throws {
        let renewing = source.renewing()
        let refused = try await renewing.lease(deadline: soon)
        let first = try await renewing.replacement(for: refused, deadline: soon)
        let second = try await renewing.replacement(for: refused, deadline: soon)
        #expect(first.value == 2)
        #expect(second.value == 2)
    }

    @Test func `what does not expire is fetched once`() async throws {
        source.state.withLock { $0.lifetime = nil }
        let renewing = source.renewing()
        _ = try await renewing.lease(deadline: soon)
        source.clock.advance(.seconds(1_000_000))
        #expect(try await renewing.lease(deadline: soon).value == 1)
        #expect(renewing.current == 1)
    }

    @Test func `what has expired already when it comes is not used`() async throws {
        source.state.withLock { $0.lifetime = .seconds(-1) }
        let renewing = source.renewing()
        await expectError(.keyUnavailable, containing: ["clock"]) { try await renewing.lease(deadline: soon) }
    }

    @Test func `each waits no longer than its own deadline`() async throws {
        source.gate.withLock { $0 = SharedResult<Void>() }
        let renewing = source.renewing()
        await expectError(.deadlineExceeded) { try await renewing.lease(deadline: .after(.milliseconds(50))) }
        let task = Task { await expectError(.cancelled) { try await renewing.lease(deadline: soon) } }
        task.cancel()
        _ = await task.value
    }

    private func eventually(_ condition: () async throws -> Bool) async throws {
        let end = soon
        while try await !condition() {
            try #require(!end.hasPassed)
            await Task.yield()
        }
    }
}

@Suite struct `Trying again` {
    private let passing = Attempts.Failure.passing(SecretError(.keyUnavailable, "not now"))
    private let lasting = Attempts.Failure.lasting(SecretError(.integrityFailure, "never"))

    private func run(
        _ attempts: Attempts, deadline: Deadline = soon, _ outcome: (Int) throws(Attempts.Failure) -> Int
    ) async -> (result: Result<Int, SecretError>, count: Int) {
        var count = 0
        do throws(SecretError) {
            let value = try await attempts.run("it was tried", deadline: deadline) { (_) throws(Attempts.Failure) in
                count += 1
                return try outcome(count)
            }
            return (.success(value), count)
        } catch {
            return (.failure(error), count)
        }
    }

    @Test func `what fails in passing is tried until it succeeds`() async throws {
        let (result, count) = await run(.patient) { (count) throws(Attempts.Failure) in
            if count < 4 { throw passing }
            return count
        }
        #expect(try result.get() == 4)
        #expect(count == 4)
    }

    @Test func `what fails for good is tried once`() async {
        let (result, count) = await run(.patient) { (_) throws(Attempts.Failure) in throw lasting }
        #expect(result == .failure(lasting.error))
        #expect(count == 1)
    }

    @Test func `patience ends, and then the last failure is told`() async {
        let (result, count) = await run(.brief) { (_) throws(Attempts.Failure) in throw passing }
        #expect(result == .failure(passing.error))
        #expect(count > 1)
    }

    @Test func `nothing is tried for whom time is up, or who gave up`() async {
        let late = await run(.patient, deadline: .after(.seconds(-1))) { (_) throws(Attempts.Failure) in 1 }
        #expect(late.count == 0)
        guard case .failure(let error) = late.result else { return }
        #expect(error.code == .deadlineExceeded)
        let task = Task {
            await run(.patient) { (_) throws(Attempts.Failure) in throw passing }
        }
        task.cancel()
        guard case .failure(let cancelled) = await task.value.result else {
            Issue.record("It succeeded.")
            return
        }
        #expect(cancelled.code == .cancelled)
    }

    @Test func `no attempt is given longer than the caller has`() async throws {
        let deadline = Deadline.after(.seconds(30))
        try await Attempts(patience: .seconds(200), each: .seconds(100)).run("it", deadline: deadline) {
            (given) throws(Attempts.Failure) in
            #expect(given <= deadline)
        }
    }
}
