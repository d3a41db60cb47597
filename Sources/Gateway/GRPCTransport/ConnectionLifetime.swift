// When a connection is pinged, told to go away, and closed: a state machine over the clock, which it is given.

/// The times of one connection.
struct ConnectionLifetime {
    /// What the caller has to do now.
    enum Action: Equatable {
        case none
        case ping
        /// Announce the shutdown and ping: the first step of going away.
        case announceShutdown
        /// The second step.
        case goAway
        /// Close without further words.
        case close
    }

    private enum Phase {
        case serving
        /// The shutdown is announced; the peer's answer is awaited until the time given.
        case announced(until: ContinuousClock.Instant)
        case goingAway
    }

    /// How long the peer has to answer the shutdown's PING before calls are refused.
    static let announcement: Duration = .seconds(1)

    private let idleTimeout: Duration
    private let keepaliveInterval: Duration
    private let keepaliveTimeout: Duration
    private let ageGrace: Duration
    private var phase = Phase.serving
    private var lastHeard: ContinuousClock.Instant
    private var pingedAt: ContinuousClock.Instant?
    private var idleSince: ContinuousClock.Instant?
    private var oldAt: ContinuousClock.Instant?
    private var closeAt: ContinuousClock.Instant?

    /// - Parameter jitter: scales the maximum age, so that connections made together do not all go at once.
    init(configuration: GRPCServer.Configuration, now: ContinuousClock.Instant, jitter: Double) {
        idleTimeout = configuration.idleTimeout
        keepaliveInterval = configuration.keepaliveInterval
        keepaliveTimeout = configuration.keepaliveTimeout
        ageGrace = configuration.connectionAgeGrace
        lastHeard = now
        idleSince = now
        oldAt = configuration.maximumConnectionAge.map { now.advanced(by: $0 * jitter) }
    }

    /// Bytes came from the peer.
    /// - Returns: whether a PING was waiting for them, so that ``due`` may be earlier now.
    mutating func heard(now: ContinuousClock.Instant) -> Bool {
        lastHeard = now
        defer { pingedAt = nil }
        return pingedAt != nil
    }

    /// The number of open calls may have changed.
    mutating func calls(areOpen: Bool, now: ContinuousClock.Instant) {
        idleSince = areOpen ? nil : idleSince ?? now
    }

    /// The server shuts down: go away, and close at the latest after some time.
    mutating func drain(within grace: Duration, now: ContinuousClock.Instant) -> Action {
        let limit = now.advanced(by: grace)
        closeAt = min(closeAt ?? limit, limit)
        guard case .serving = phase else { return .none }
        phase = .announced(until: now.advanced(by: min(grace / 2, Self.announcement)))
        return .announceShutdown
    }

    /// The peer answered the shutdown's PING: it has seen that we go away.
    mutating func shutdownAnswered() -> Action {
        guard case .announced = phase else { return .none }
        phase = .goingAway
        return .goAway
    }

    /// When to call ``act(now:)`` next.
    var due: ContinuousClock.Instant {
        var due = pingedAt?.advanced(by: keepaliveTimeout) ?? lastHeard.advanced(by: keepaliveInterval)
        if let closeAt { due = min(due, closeAt) }
        switch phase {
        case .serving:
            if let oldAt { due = min(due, oldAt) }
            if let idleSince { due = min(due, idleSince.advanced(by: idleTimeout)) }
        case .announced(let until): due = min(due, until)
        case .goingAway: break
        }
        return due
    }

    /// What is due; call again until it is nothing.
    mutating func act(now: ContinuousClock.Instant) -> Action {
        if let closeAt, closeAt <= now { return .close }
        if let pingedAt, pingedAt.advanced(by: keepaliveTimeout) <= now { return .close }
        switch phase {
        case .serving:
            let isIdle = idleSince.map { $0.advanced(by: idleTimeout) <= now } ?? false
            let isOld = oldAt.map { $0 <= now } ?? false
            if isIdle || isOld { return drain(within: ageGrace, now: now) }
        case .announced(let until) where until <= now:
            phase = .goingAway
            return .goAway
        case .announced, .goingAway: break
        }
        if pingedAt == nil && lastHeard.advanced(by: keepaliveInterval) <= now {
            pingedAt = now
            return .ping
        }
        return .none
    }
}
