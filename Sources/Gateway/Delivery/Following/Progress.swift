// How far a sink has been given the log, and how much of that is sure.

/// A sink's place in the log.
struct Progress: Sendable {
    /// How close together in time marks are.
    private static let grain: Duration = .milliseconds(250)

    /// What was given up to an index by a time.
    private struct Mark {
        let end: UInt64
        let began: ContinuousClock.Instant
        var time: ContinuousClock.Instant
    }

    /// The index of the record that is given next.
    private(set) var next: UInt64
    /// The index of the first record that may have to be given again.
    private(set) var settled: UInt64
    private var marks: [Mark] = []

    init(at index: UInt64) {
        next = index
        settled = index
    }

    /// Records up to an index were given.
    mutating func advance(to end: UInt64, at now: ContinuousClock.Instant) {
        next = end
        if let last = marks.last, now - last.began < Self.grain {
            marks[marks.count - 1] = Mark(end: end, began: last.began, time: now)
        } else {
            marks.append(Mark(end: end, began: now, time: now))
        }
    }

    /// What was given long enough ago is sure.
    mutating func settle(after settling: Duration, at now: ContinuousClock.Instant) {
        let count = marks.prefix { now - $0.time >= settling }.count
        guard count > 0 else { return }
        settled = marks[count - 1].end
        marks.removeFirst(count)
    }

    /// All that was given is sure.
    mutating func settleAll() {
        settled = next
        marks = []
    }

    /// What is not sure is given again.
    mutating func goBack() {
        next = settled
        marks = []
    }
}
