// Tells a token that is dead from one that lacks a right: to both Vault answers 403.

import PosternConcurrency
import PosternProtocol
import Synchronization

/// Has refused tokens looked up. However many callers were refused, a token is looked up at most once in each interval.
final class TokenVerifier: Sendable {
    private struct Check {
        let token: SecretBytes
        let startedAt: ContinuousClock.Instant
        let isDead: SharedResult<Bool>
    }

    private let vault: VaultClient
    private let timing: TokenTiming
    private let last = Mutex<Check?>(nil)

    init(vault: VaultClient, timing: TokenTiming) {
        self.vault = vault
        self.timing = timing
    }

    /// Whether Vault no longer knows a token, as of now or of the last look-up if that is younger than the interval.
    /// - Throws: why Vault could not be asked.
    func isDead(_ token: SecretBytes, deadline: Deadline) async throws(SecretError) -> Bool {
        let now = ContinuousClock.now
        let (check, isNew) = last.withLock { last in
            if let last, last.token == token, now - last.startedAt < timing.checkInterval { return (last, false) }
            let new = Check(token: token, startedAt: now, isDead: SharedResult())
            last = new
            return (new, true)
        }
        if isNew { Task { await self.lookUp(check) } }
        return try await check.isDead.value(deadline: deadline, what: "Vault's word on the gateway's token")
    }

    private func lookUp(_ check: Check) async {
        do throws(LoginFailure) {
            let lease = try await vault.lookUp(check.token, deadline: .after(timing.renewalTimeout))
            check.isDead.complete(.success(lease == nil))
        } catch {
            // The next caller asks again: this one has learned nothing.
            last.withLock { last in
                if last?.isDead === check.isDead { last = nil }
            }
            check.isDead.complete(.failure(error.error))
        }
    }
}
