// When the caller stops waiting. Every backend call has one.

/// The moment after which an answer is of no use to the caller.
public struct Deadline: Sendable, Hashable, Comparable {
    /// The moment, on the monotonic clock that keeps running while the machine sleeps.
    public let instant: ContinuousClock.Instant

    /// Makes a deadline at a moment.
    public init(_ instant: ContinuousClock.Instant) {
        self.instant = instant
    }

    /// A deadline some time from now.
    public static func after(_ duration: Duration) -> Deadline {
        Deadline(.now.advanced(by: duration))
    }

    /// Whether it has passed.
    public var hasPassed: Bool { instant <= .now }

    /// How long is left; negative once it has passed.
    public var remaining: Duration { ContinuousClock.now.duration(to: instant) }

    /// A little earlier, so that there is time left to say that something did not answer rather than nothing.
    public var answerBy: Deadline { Deadline(instant - min(max(remaining, .zero) / 10, .milliseconds(200))) }

    /// The earlier comes first.
    public static func < (a: Deadline, b: Deadline) -> Bool { a.instant < b.instant }

    /// Refuses to start work that nobody waits for any more.
    /// - Parameter what: what was to be done, for the message.
    /// - Throws: `cancelled` if the task is cancelled, `deadline_exceeded` if the deadline has passed.
    public func check(_ what: @autoclosure () -> String) throws(SecretError) {
        if Task.isCancelled {
            throw SecretError(.cancelled, "The caller gave up before \(what()).")
        }
        if hasPassed {
            throw SecretError(.deadlineExceeded, "The deadline passed before \(what()).")
        }
    }
}
