// Trying again, where that may help and while there is time.

import PosternProtocol

/// How often and for how long something is tried.
struct Attempts: Sendable {
    /// For how long a new attempt is begun: whoever asks may have another key to ask.
    var patience: Duration = .seconds(4)
    /// How long one attempt may take.
    var each: Duration = .seconds(3)
    /// 0 up to 1, so that many gateways do not come back together.
    var random: @Sendable () -> Double = { .random(in: 0..<1) }

    /// How long all of it may take.
    var longest: Duration { patience + each }

    private static let firstPause: Duration = .milliseconds(50)
    private static let longestPause: Duration = .seconds(1)

    /// Why an attempt failed.
    struct Failure: Error {
        let error: SecretError
        /// Whether the same may succeed a moment later.
        let isPassing: Bool

        /// A failure that the same attempt may not have a moment later.
        static func passing(_ error: SecretError) -> Failure { Failure(error: error, isPassing: true) }

        /// A failure that stays.
        static func lasting(_ error: SecretError) -> Failure { Failure(error: error, isPassing: false) }
    }

    /// Tries, with pauses that double, until something comes of it.
    /// - Parameters:
    ///   - what: what is done, to follow "before", for the message.
    ///   - deadline: when the caller stops waiting.
    ///   - attempt: tries once, no longer than the deadline that it is given.
    /// - Throws: the last failure's error; `deadline_exceeded`, `cancelled`.
    func run<Value: Sendable>(
        _ what: String, deadline: Deadline, _ attempt: (Deadline) async throws(Failure) -> Value
    ) async throws(SecretError) -> Value {
        try deadline.check(what)
        let end = min(deadline, .after(patience)).instant
        var pause = Self.firstPause
        while true {
            let failure: Failure
            do throws(Failure) {
                return try await attempt(min(deadline, .after(each)))
            } catch {
                failure = error
            }
            let next = ContinuousClock.now + pause * (0.5 + random() / 2)
            pause = min(pause * 2, Self.longestPause)
            guard failure.isPassing, next < end else { throw failure.error }
            do {
                try await Task.sleep(until: next, clock: .continuous)
            } catch {
                throw SecretError(.cancelled, "The caller gave up before \(what).")
            }
        }
    }
}
