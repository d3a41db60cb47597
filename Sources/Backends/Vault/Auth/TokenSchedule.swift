// What the gateway has in hand, and what is to be done about it when. A state machine without clock or I/O of its own.

import PosternProtocol

/// How long things take, and how long they are waited for.
struct TokenTiming: Sendable {
    /// After which share of a lease it is renewed.
    var renewal = 2.0 / 3
    /// By how much of itself that may vary, so that many gateways do not ask together.
    var spread = 0.1
    /// The first pause after Vault could not be asked; doubled at each further failure.
    var firstPause: Duration = .milliseconds(100)
    var longestPause: Duration = .seconds(5)
    /// The first pause after Vault refused a login; doubled likewise. Vault locks out who fails too often.
    var firstRefusalPause: Duration = .seconds(1)
    var longestRefusalPause: Duration = .seconds(60)
    /// How long a login may take.
    var loginTimeout: Duration = .seconds(15)
    /// How long a renewal or a look-up may take.
    var renewalTimeout: Duration = .seconds(10)
    /// How long revoking the token may keep the gateway from ending.
    var revocationTimeout: Duration = .seconds(2)
    /// How often at most a file is looked at, and a token that was refused is looked up.
    var checkInterval: Duration = .seconds(1)
}

/// A token's life: granted, renewed as long as Vault lets it, replaced in time; kept in use until it ends whatever fails.
struct TokenSchedule: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What is to be done next.
    enum Step: Equatable {
        case renew(at: Instant)
        case logIn(at: Instant)

        var instant: Instant {
            switch self {
            case .renew(let instant), .logIn(let instant): instant
            }
        }
    }

    let timing: TokenTiming
    /// What Vault lent; it may have ended.
    private(set) var lease: Lease?
    /// When it ends; nil if it does not.
    private(set) var end: Instant?
    /// What is to be done next, whoever asks or does not.
    private(set) var next: Step?
    /// What went wrong last, if it is not better since.
    private(set) var lastError: SecretError?
    /// Until when nobody logs in, because it failed just now.
    private var pauseEnd: Instant?
    /// A token that will not be prolonged any more, whatever it says of itself.
    private var final: SecretBytes?
    private var failures = 0

    init(timing: TokenTiming) {
        self.timing = timing
    }

    /// The token, if there is one that lives.
    func token(at now: Instant) -> SecretBytes? {
        guard let lease else { return nil }
        if let end, end <= now { return nil }
        return lease.token
    }

    /// The error that callers get rather than one more login, while the last has only just failed.
    func refusal(at now: Instant) -> SecretError? {
        guard let pauseEnd, now < pauseEnd else { return nil }
        return lastError
    }

    /// Whether the lease will end however often it is renewed.
    var willEnd: Bool {
        guard lease != nil, end != nil, case .logIn = next else { return false }
        return true
    }

    /// A login succeeded.
    /// - Parameters:
    ///   - random: 0 up to 1.
    mutating func granted(_ lease: Lease, at now: Instant, random: Double) {
        self.lease = lease
        recovered()
        end = lease.duration.map { now + $0 }
        next = lease.duration.map { duration in
            let due = now + share(of: duration, random: random)
            return lease.isRenewable && lease.token != final ? .renew(at: due) : .logIn(at: due)
        }
    }

    /// A renewal succeeded.
    /// - Parameters:
    ///   - token: the token that was renewed; if it is no longer the one in use, nothing changes.
    ///   - renewed: what Vault says now.
    ///   - random: 0 up to 1.
    mutating func renewed(_ token: SecretBytes, _ renewed: Lease, at now: Instant, random: Double) {
        guard let lease, lease.token == token else { return }
        recovered()
        // A lease of 0 seconds is less than one: unlike at a login, it does not mean that it never ends.
        let duration = renewed.duration ?? .zero
        // Less than was asked for means that its longest life is reached; a little less may be rounding.
        if !renewed.isRenewable || duration < lease.term * 0.9 { final = token }
        end = now + duration
        let due = now + share(of: duration, random: random)
        next = final == token ? .logIn(at: due) : .renew(at: due)
    }

    /// A renewal failed; the token may live all the same.
    mutating func renewalFailed(_ token: SecretBytes, _ failure: LoginFailure, at now: Instant, random: Double) {
        guard lease?.token == token else { return }
        lastError = failure.error
        guard !failure.isRefusal else {
            final = token
            next = .logIn(at: now)
            return
        }
        let due = now + pause(isRefusal: false, random: random)
        let isInTime = end.map { due < $0 } ?? true
        next = isInTime ? .renew(at: due) : .logIn(at: due)
    }

    /// A login failed; a token that is in hand stays in use.
    mutating func loginFailed(_ failure: LoginFailure, at now: Instant, random: Double) {
        lastError = failure.error
        let due = now + pause(isRefusal: failure.isRefusal, random: random)
        pauseEnd = due
        next = .logIn(at: due)
    }

    /// Vault no longer knows a token.
    mutating func lost(_ token: SecretBytes) {
        guard lease?.token == token else { return }
        lease = nil
        end = nil
        if case .renew = next { next = nil }
    }

    private mutating func recovered() {
        failures = 0
        lastError = nil
        pauseEnd = nil
    }

    private func share(of duration: Duration, random: Double) -> Duration {
        duration * (timing.renewal * (1 + timing.spread * (2 * random - 1)))
    }

    private mutating func pause(isRefusal: Bool, random: Double) -> Duration {
        let first = isRefusal ? timing.firstRefusalPause : timing.firstPause
        let longest = isRefusal ? timing.longestRefusalPause : timing.longestPause
        let pause = min(first * (1 << min(failures, 16)), longest)
        failures += 1
        return pause * (0.5 + random / 2)
    }
}
