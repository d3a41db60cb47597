// Calls into a PKCS#11 module block, some of them for ever. They run here, on threads that may be lost to them, and
// not on the few that Swift's tasks share.

import Dispatch
import Foundation
import PosternProtocol
import Synchronization

/// A bounded number of threads that take jobs in order.
final class CallThreads: Sendable {
    private struct Job {
        let ticket: CallTicket
        let body: @Sendable (CallTicket) -> Void
    }

    /// How a thread is to come.
    private enum Step { case ring, start }

    private struct State {
        var limit: Int
        var threads = 0
        var idle = 0
        /// Whether a thread is on its way that has not taken a job yet. Each wakes the next if there is more to do: where
        /// calls are quick, a few threads do all the work, and where they are slow, soon all of them are at it.
        var isWaking = false
        /// Jobs that no thread has taken, by number, and the numbers of the next to take and to give.
        var waiting: [Int: Job] = [:]
        var first = 0
        var next = 0
        var running: [Int: CallTicket] = [:]

        /// Has one more thread come, if there is a job for it and none is on its way.
        mutating func wakeOne() -> Step? {
            guard !waiting.isEmpty, !isWaking else { return nil }
            if idle > 0 {
                idle -= 1
                isWaking = true
                return .ring
            }
            guard threads < limit else { return nil }
            threads += 1
            isWaking = true
            return .start
        }

        /// The oldest job that is left.
        mutating func take() -> (number: Int, job: Job)? {
            guard !waiting.isEmpty else {
                first = next
                return nil
            }
            while true {
                defer { first += 1 }
                if let job = waiting.removeValue(forKey: first) { return (first, job) }
            }
        }
    }

    private static let idleTime: Duration = .seconds(30)
    private let name: String
    private let maximumStuck: Int
    private let state: Mutex<State>
    private let bell = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - name: whose threads these are, for messages.
    ///   - limit: how many threads at most.
    ///   - maximumStuck: how many of them may be lost to calls that do not return.
    init(name: String, limit: Int, maximumStuck: Int) {
        self.name = name
        self.maximumStuck = maximumStuck
        self.state = Mutex(State(limit: limit))
    }

    /// Changes how many threads there are at most.
    func setLimit(_ limit: Int) {
        state.withLock { $0.limit = max(limit, 1) }
    }

    /// How many threads are in calls that nobody waits for any more, and the functions that keep them.
    var stuck: [CryptokiFunction] {
        state.withLock { state in
            state.running.values.compactMap { $0.isStuck ? $0.function : nil }
        }
    }

    /// How many jobs no thread has taken yet.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Refuses work while as many threads as may be are lost.
    /// - Throws: `key_unavailable`.
    func refuseIfStuck() throws(SecretError) {
        let stuck = self.stuck
        guard stuck.count >= state.withLock({ min(maximumStuck, $0.limit) }) else { return }
        let functions = Set(stuck.map(\.rawValue)).sorted().joined(separator: ", ")
        throw SecretError(
            .keyUnavailable,
            "\(name) does not answer: \(stuck.count) calls (\(functions)) have not returned although their deadlines "
                + "have passed, and no more are made until one does. Look at the HSM and the way to it.",
            retryAfterSeconds: 5)
    }

    /// Has a thread do a job, after those that wait already.
    /// - Returns: the job's number.
    func submit(_ ticket: CallTicket, _ body: @escaping @Sendable (CallTicket) -> Void) -> Int {
        let (number, step) = state.withLock { state -> (Int, Step?) in
            let number = state.next
            state.next += 1
            state.waiting[number] = Job(ticket: ticket, body: body)
            return (number, state.wakeOne())
        }
        perform(step)
        return number
    }

    /// Takes back a job that no thread has taken yet.
    func withdraw(_ number: Int) {
        // Dropped outside of the lock.
        _ = state.withLock { $0.waiting.removeValue(forKey: number) }
    }

    private func perform(_ step: Step?) {
        switch step {
        case .ring: bell.signal()
        case .start: Thread { [self] in work() }.start()
        case nil: break
        }
    }

    private func work() {
        enum Next { case run(Int, Job), wait, stop }
        var isNew = true
        while true {
            let (next, step) = state.withLock { state -> (Next, Step?) in
                if isNew { state.isWaking = false }
                isNew = false
                guard state.threads <= state.limit else {
                    state.threads -= 1
                    // It may have been woken for a job.
                    return (.stop, state.wakeOne())
                }
                guard let (number, job) = state.take() else {
                    state.idle += 1
                    return (.wait, nil)
                }
                state.running[number] = job.ticket
                return (.run(number, job), state.wakeOne())
            }
            perform(step)
            switch next {
            case .run(let number, let job):
                job.body(job.ticket)
                // Dropped outside of the lock.
                _ = state.withLock { $0.running.removeValue(forKey: number) }
            case .wait:
                guard rest() else { return }
                isNew = true
            case .stop: return
            }
        }
    }

    /// Waits to be woken.
    /// - Returns: false if nobody has for a while, and the thread is not needed.
    private func rest() -> Bool {
        guard bell.wait(timeout: DispatchTime(.after(Self.idleTime))) == .timedOut else { return true }
        let isSurplus = state.withLock { state in
            // Whoever counted this thread out of the idle ones has rung for it.
            guard state.idle > 0 else { return false }
            state.idle -= 1
            state.threads -= 1
            return true
        }
        if !isSurplus { bell.wait() }
        return !isSurplus
    }
}
