// Counts streams reset on one connection, against floods of requests that are cancelled at once (CVE-2023-44487).

/// A token bucket.
struct ResetMeter {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var last: ContinuousClock.Instant

    init(burst: Int, perSecond: Double, now: ContinuousClock.Instant) {
        self.burst = Double(burst)
        self.perSecond = perSecond
        tokens = Double(burst)
        last = now
    }

    /// Counts one reset.
    /// - Returns: whether it is within the limit.
    mutating func take(now: ContinuousClock.Instant) -> Bool {
        let elapsed = last.duration(to: now) / .seconds(1)
        last = now
        tokens = min(burst, tokens + max(0, elapsed) * perSecond)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
