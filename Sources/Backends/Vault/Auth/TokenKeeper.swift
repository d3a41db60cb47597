// Keeps the gateway in possession of a token that Vault accepts.

import Logging
import PosternConcurrency
import PosternProtocol
import Synchronization

/// Logs in when a token is first needed, renews it in time, and replaces it when it cannot be renewed or Vault refuses it.
///
/// At most one login is under way, however many wait for it, each no longer than its own deadline. A token stays in use
/// for as long as it lives, whatever else fails.
final class TokenKeeper: TokenSource {
    private struct State {
        var schedule: TokenSchedule
        var login: (result: SharedResult<SecretBytes>, task: Task<Void, Never>)?
        var mustLogInAgain = false
        var renewal: Task<Void, Never>?
        var timer: Task<Void, Never>?
        var isClosed = false
    }

    private let method: any LoginMethod
    private let vault: VaultClient
    private let verifier: TokenVerifier
    private let timing: TokenTiming
    private let logger: Logger
    private let clock: any WallClock
    private let random: @Sendable () -> Double
    private let state: Mutex<State>

    /// Makes a keeper, which does nothing until a token is needed.
    /// - Parameters:
    ///   - method: how to log in.
    ///   - vault: asks Vault, without a token of its own. Not the client that asks this keeper: a login that fails must not shut
    ///     out requests that go with a token which lives.
    ///   - timing: how long things take.
    ///   - logger: told of logins and failures.
    ///   - clock: the time of day, for the status.
    ///   - random: 0 up to 1, for jitter.
    init(
        _ method: any LoginMethod, vault: VaultClient, timing: TokenTiming = TokenTiming(), logger: Logger,
        clock: any WallClock = SystemWallClock(), random: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) {
        self.method = method
        self.vault = vault
        verifier = TokenVerifier(vault: vault, timing: timing)
        self.timing = timing
        self.logger = logger
        self.clock = clock
        self.random = random
        state = Mutex(State(schedule: TokenSchedule(timing: timing)))
    }

    /// The token to use now; logs in first if there is none.
    func token(deadline: Deadline) async throws(SecretError) -> SecretBytes {
        let now = ContinuousClock.now
        guard let token = state.withLock({ $0.schedule.token(at: now) }) else {
            return try await loggedIn(deadline: deadline)
        }
        // The one in hand serves until the new one has shown that it works.
        if hasNewToken(at: now, interval: timing.checkInterval) { startLogin(again: true) }
        return token
    }

    /// Vault answered 403 to a token.
    func replacement(for token: SecretBytes, deadline: Deadline) async throws(SecretError) -> SecretBytes? {
        let now = ContinuousClock.now
        let (current, canBeVerified) = state.withLock { state in
            (state.schedule.token(at: now), state.schedule.lease?.canBeVerified ?? true)
        }
        if let current {
            guard current == token else { return current }
            if let other = await changed(than: token, deadline: deadline) { return other }
            guard canBeVerified, try await verifier.isDead(token, deadline: deadline) else { return nil }
            state.withLock { $0.schedule.lost(token) }
        }
        let new = try await loggedIn(deadline: deadline)
        return new == token ? nil : new
    }

    /// Another token, if the file that the refused one came from has changed.
    private func changed(than token: SecretBytes, deadline: Deadline) async -> SecretBytes? {
        guard hasNewToken(at: .now, interval: .zero) else { return nil }
        do throws(SecretError) {
            let new = try await startLogin(again: true).value(deadline: deadline, what: Self.login)
            return new == token ? nil : new
        } catch {
            // The log and the status tell of it; what is next is whether the old one is good.
            return nil
        }
    }

    /// Whether somebody has put another token where this one came from.
    private func hasNewToken(at now: ContinuousClock.Instant, interval: Duration) -> Bool {
        guard !method.makesTokens, let watched = method.watched else { return false }
        return watched.hasChanged(at: now, interval: interval)
    }

    /// Ends it: nothing more is done, and a token that was made for this gateway is revoked.
    func close() async {
        let token = state.withLock { state -> SecretBytes? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            for task in [state.timer, state.renewal, state.login?.task] { task?.cancel() }
            defer { state.schedule = TokenSchedule(timing: timing) }
            return state.schedule.token(at: .now)
        }
        if let token { await revoke(token) }
    }

    /// What is known of the token now.
    var status: VaultTokenStatus {
        let now = ContinuousClock.now
        let schedule = state.withLock { $0.schedule }
        let isUsable = schedule.token(at: now) != nil
        let expiresAt = isUsable ? schedule.end.map { clock.now().advanced(by: now.duration(to: $0)) } : nil
        return VaultTokenStatus(
            method: method.description, isUsable: isUsable, accessor: isUsable ? schedule.lease?.accessor : nil,
            expiresAt: expiresAt, warning: expiresAt.flatMap { warning(schedule, expiresAt: $0) },
            lastError: schedule.lastError?.message)
    }

    private func warning(_ schedule: TokenSchedule, expiresAt: Timestamp) -> String? {
        guard !method.makesTokens, schedule.willEnd else { return nil }
        let remedy = method.watched?.file.map { "put a new one into \($0)" } ?? "start the gateway again with a new one"
        return "The gateway's Vault token ends at \(expiresAt) and cannot be renewed; \(remedy) before that."
    }
}

// Logging in.
extension TokenKeeper {
    private static let closed = SecretError(.cancelled, "The gateway is ending.")
    private static let login = "the gateway's login to Vault"

    /// The token that is there, or that a login gives: one under way, or a new one unless that has failed just now.
    private func loggedIn(deadline: Deadline) async throws(SecretError) -> SecretBytes {
        let now = ContinuousClock.now
        let (token, refusal) = state.withLock { state in
            (state.schedule.token(at: now), state.login == nil ? state.schedule.refusal(at: now) : nil)
        }
        if let token { return token }
        if let refusal {
            // Another credential may do better.
            let isNews = method.watched?.hasChanged(at: now, interval: timing.checkInterval) ?? false
            guard isNews else { throw refusal }
        }
        return try await startLogin().value(deadline: deadline, what: Self.login)
    }

    /// Logs in, unless a login is under way.
    /// - Parameter again: whether one under way may have begun too early to know what is to be known, so that another must follow.
    @discardableResult
    private func startLogin(again: Bool = false) -> SharedResult<SecretBytes> {
        state.withLock { state in
            if let login = state.login {
                state.mustLogInAgain = state.mustLogInAgain || again
                return login.result
            }
            let result = SharedResult<SecretBytes>()
            guard !state.isClosed else {
                result.complete(.failure(Self.closed))
                return result
            }
            state.mustLogInAgain = false
            state.login = (result, Task { await self.logIn(result) })
            return result
        }
    }

    private func logIn(_ result: SharedResult<SecretBytes>) async {
        var answer: Result<Lease, LoginFailure>
        let deadline = Deadline.after(timing.loginTimeout)
        do throws(LoginFailure) {
            var lease = try await method.logIn(vault, deadline: deadline)
            if method.makesTokens { lease.canBeVerified = await mayLookItselfUp(lease, deadline: deadline) }
            answer = .success(lease)
        } catch {
            answer = .failure(error)
        }
        let random = random()
        let (isClosed, before, mustLogInAgain) = state.withLock { state in
            state.login = nil
            let before = state.schedule.lease?.token
            switch answer {
            case .success(let lease) where !state.isClosed: state.schedule.granted(lease, at: .now, random: random)
            case .failure(let failure): state.schedule.loginFailed(failure, at: .now, random: random)
            case .success: break
            }
            return (state.isClosed, before, state.mustLogInAgain)
        }
        setTimer()
        if mustLogInAgain { startLogin() }
        switch answer {
        case _ where isClosed:
            if case .success(let lease) = answer { await revoke(lease.token) }
            answer = .failure(.unanswered(Self.closed))
        case .success(let lease):
            if lease.token != before { logLogin(lease) }
        case .failure(let failure):
            logger.warning("no new token from Vault", metadata: ["reason": "\(failure.error.message)"])
        }
        result.complete(answer.map(\.token).mapError(\.error))
    }

    /// Whether a new token has the right to look itself up. If not, a refusal cannot be told from the token's death.
    private func mayLookItselfUp(_ lease: Lease, deadline: Deadline) async -> Bool {
        do throws(LoginFailure) {
            guard try await vault.lookUp(lease.token, deadline: deadline) == nil else { return true }
        } catch {
            // Most may; and the token is good, whatever keeps Vault from answering now.
            return true
        }
        logger.warning(
            "the token's policies lack auth/token/lookup-self: that it was revoked will be noticed only when it is renewed"
        )
        return false
    }

    private func logLogin(_ lease: Lease) {
        let status = status
        logger.info(
            "logged in to Vault",
            metadata: [
                "method": "\(status.method)", "accessor": "\(lease.accessor ?? "none")",
                "expires": "\(status.expiresAt?.description ?? "never")", "renewable": "\(lease.isRenewable)",
            ])
        if let warning = status.warning { logger.warning("\(warning)") }
    }
}

// Renewing, and ending.
extension TokenKeeper {
    /// Sees to it that the next step is taken in time.
    private func setTimer() {
        state.withLock { state in
            state.timer?.cancel()
            guard !state.isClosed, let step = state.schedule.next else { return state.timer = nil }
            state.timer = Task { [weak self] in
                // The only error is cancellation, which means that another timer has taken over.
                guard (try? await Task.sleep(until: step.instant, clock: .continuous)) != nil else { return }
                self?.take(step)
            }
        }
    }

    private func take(_ step: TokenSchedule.Step) {
        let isLogin = state.withLock { state in
            // What has happened since the timer went off may have changed the plan; whoever did that sets another timer.
            guard !state.isClosed, state.schedule.next == step else { return false }
            guard case .renew = step else { return true }
            guard state.login == nil, state.renewal == nil, let lease = state.schedule.lease else { return false }
            let end = state.schedule.end
            state.renewal = Task { await self.renew(lease, before: end) }
            return false
        }
        if isLogin { startLogin() }
    }

    private func renew(_ lease: Lease, before end: ContinuousClock.Instant?) async {
        let limit = Deadline.after(timing.renewalTimeout)
        let answer: Result<Lease, LoginFailure>
        do throws(LoginFailure) {
            let renewed = try await vault.renew(lease, deadline: end.map { min(limit, Deadline($0)) } ?? limit)
            answer = renewed.map { .success($0) } ?? .failure(.refused("Vault refuses to renew the gateway's token."))
        } catch {
            answer = .failure(error)
        }
        let random = random()
        let isClosed = state.withLock { state in
            state.renewal = nil
            switch answer {
            case .success(let renewed):
                state.schedule.renewed(lease.token, renewed, at: .now, random: random)
            case .failure(let failure):
                state.schedule.renewalFailed(lease.token, failure, at: .now, random: random)
            }
            return state.isClosed
        }
        setTimer()
        if case .failure(let failure) = answer, !isClosed {
            logger.warning("Vault's token was not renewed", metadata: ["reason": "\(failure.error.message)"])
        } else if let warning = status.warning {
            logger.warning("\(warning)")
        }
    }

    private func revoke(_ token: SecretBytes) async {
        guard method.makesTokens else { return }
        do throws(LoginFailure) {
            try await vault.revoke(token, deadline: .after(timing.revocationTimeout))
        } catch {
            // Not worth keeping the gateway from ending: the token ends by itself with its lease.
            logger.debug("the token was not revoked", metadata: ["reason": "\(error.error.message)"])
        }
    }
}
