// Pauses between attempts: they double, and are not all of one length.

struct Backoff: Sendable {
    private static let first: Duration = .milliseconds(250)
    private static let longest: Duration = .seconds(30)

    private var pause = Self.first

    /// The next pause.
    /// - Parameters:
    ///   - asked: how long the sink wants to be left alone at least.
    ///   - random: 0 up to 1, so that many gateways do not come back together.
    mutating func next(atLeast asked: Duration?, random: Double) -> Duration {
        defer { pause = min(pause * 2, Self.longest) }
        return max(pause * (0.5 + random / 2), asked ?? .zero)
    }

    mutating func reset() { pause = Self.first }
}
