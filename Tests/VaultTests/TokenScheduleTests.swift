// The life of a token, step by step, at times that the test decides.

import PosternProtocol
import Testing

@testable import Vault

@Suite struct `A token's schedule` {
    typealias Instant = ContinuousClock.Instant

    let start = ContinuousClock.now
    let token = SecretBytes("first")

    func schedule(_ lease: Lease, random: Double = 0.5) -> TokenSchedule {
        var schedule = TokenSchedule(timing: TokenTiming())
        schedule.granted(lease, at: start, random: random)
        return schedule
    }

    func lease(_ seconds: Int?, term: Int? = nil, isRenewable: Bool = true) -> Lease {
        Lease(
            token: token, duration: seconds.map { .seconds($0) }, term: term.map { .seconds($0) },
            isRenewable: isRenewable)
    }

    let outage = LoginFailure.unanswered(SecretError(.backendUnavailable, "away"))
    let refusal = LoginFailure.refused("no")

    @Test func `is empty at first: nothing is due, and nothing is refused`() {
        let schedule = TokenSchedule(timing: TokenTiming())
        #expect(schedule.token(at: start) == nil)
        #expect(schedule.next == nil)
        #expect(schedule.refusal(at: start) == nil)
    }

    @Test(arguments: [(0.0, 540.0), (0.5, 600.0), (1.0, 660.0)])
    func `renews at two thirds of the lease, give or take a tenth`(random: Double, due: Double) throws {
        let schedule = schedule(lease(900), random: random)
        let next = try #require(schedule.next)
        #expect(next == .renew(at: next.instant))
        #expect(abs(start.duration(to: next.instant) / .seconds(1) - due) < 0.001)
        #expect(!schedule.willEnd)
    }

    @Test func `keeps the token until its lease ends, and no longer`() {
        let schedule = schedule(lease(900))
        #expect(schedule.token(at: start + .seconds(899)) == token)
        #expect(schedule.token(at: start + .seconds(900)) == nil)
    }

    @Test func `does nothing about a token that never ends`() {
        let schedule = schedule(lease(nil, isRenewable: false))
        #expect(schedule.next == nil)
        #expect(!schedule.willEnd)
        #expect(schedule.token(at: start + .seconds(1_000_000)) == token)
    }

    @Test func `logs in again at two thirds of a lease that cannot be renewed`() {
        let schedule = schedule(lease(900, isRenewable: false))
        #expect(schedule.next == .logIn(at: start + .seconds(600)))
        #expect(schedule.willEnd)
    }

    @Test func `a renewal starts the lease anew`() {
        var schedule = schedule(lease(900))
        schedule.renewed(token, lease(900), at: start + .seconds(600), random: 0.5)
        #expect(schedule.end == start + .seconds(1_500))
        #expect(schedule.next == .renew(at: start + .seconds(1_200)))
    }

    @Test(arguments: [0, 1, 300, 809])
    func `a renewal that gives less than was asked for is the last`(seconds: Int) {
        var schedule = schedule(lease(900))
        let now = start + .seconds(600)
        // A lease of 0 seconds at a renewal does not mean that it never ends.
        schedule.renewed(token, lease(seconds == 0 ? nil : seconds), at: now, random: 0.5)
        #expect(schedule.end == now + .seconds(seconds))
        #expect(schedule.next == .logIn(at: now + .seconds(seconds) * (2.0 / 3)))
        #expect(schedule.willEnd)
    }

    @Test func `a renewal that gives a little less than was asked for is rounding`() {
        var schedule = schedule(lease(900))
        schedule.renewed(token, lease(899), at: start, random: 0.5)
        #expect(schedule.next == .renew(at: start + .seconds(899) * (2.0 / 3)))
    }

    @Test func `a token adopted late in its life asks for the term that it was made with`() {
        var schedule = schedule(lease(90, term: 900))
        #expect(schedule.next == .renew(at: start + .seconds(60)))
        schedule.renewed(token, lease(100), at: start + .seconds(60), random: 0.5)
        #expect(schedule.willEnd)
    }

    @Test func `a token that is given again after its last renewal is not renewed again`() {
        var schedule = schedule(lease(900))
        schedule.renewed(token, lease(300), at: start + .seconds(600), random: 0.5)
        schedule.granted(lease(100), at: start + .seconds(800), random: 0.5)
        #expect(schedule.willEnd)
        let other = Lease(token: SecretBytes("second"), duration: .seconds(900), isRenewable: true)
        schedule.granted(other, at: start + .seconds(900), random: 0.5)
        #expect(!schedule.willEnd)
    }

    @Test func `renewing is tried again sooner and then later while Vault is away, and the token stays in use`() {
        var schedule = schedule(lease(900))
        var now = start + .seconds(600)
        for pause in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            schedule.renewalFailed(token, outage, at: now, random: 1)
            #expect(schedule.next == .renew(at: now + .milliseconds(pause)))
            #expect(schedule.token(at: now) == token)
            #expect(schedule.lastError?.message == "away")
            now = now + .milliseconds(pause)
        }
        schedule.renewed(token, lease(900), at: now, random: 0.5)
        #expect(schedule.lastError == nil)
        schedule.renewalFailed(token, outage, at: now, random: 1)
        #expect(schedule.next == .renew(at: now + .milliseconds(100)))
    }

    @Test func `pauses are as long as they may be, or half as long, by chance`() {
        for (random, pause) in [(0.0, 50), (1.0, 100)] {
            var schedule = schedule(lease(900))
            schedule.renewalFailed(token, outage, at: start, random: random)
            #expect(schedule.next == .renew(at: start + .milliseconds(pause)))
        }
    }

    @Test func `a renewal that fails when the lease is about to end gives way to a login`() {
        var schedule = schedule(lease(900))
        let now = start + .milliseconds(899_950)
        schedule.renewalFailed(token, outage, at: now, random: 1)
        #expect(schedule.next == .logIn(at: now + .milliseconds(100)))
    }

    @Test func `a renewal that is refused gives way to a login at once`() {
        var schedule = schedule(lease(900))
        let now = start + .seconds(600)
        schedule.renewalFailed(token, refusal, at: now, random: 0.5)
        #expect(schedule.next == .logIn(at: now))
        #expect(schedule.token(at: now) == token)
    }

    @Test func `after a login that failed, callers are told why until the next attempt is due`() {
        var schedule = TokenSchedule(timing: TokenTiming())
        schedule.loginFailed(outage, at: start, random: 1)
        #expect(schedule.next == .logIn(at: start + .milliseconds(100)))
        #expect(schedule.refusal(at: start + .milliseconds(99)) == outage.error)
        #expect(schedule.refusal(at: start + .milliseconds(100)) == nil)
    }

    @Test func `a login that is refused is tried again ever more rarely`() {
        var schedule = TokenSchedule(timing: TokenTiming())
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            schedule.loginFailed(refusal, at: start, random: 1)
            #expect(schedule.next == .logIn(at: start + .seconds(pause)))
        }
        for _ in 0..<100 { schedule.loginFailed(refusal, at: start, random: 1) }
        #expect(schedule.next == .logIn(at: start + .seconds(60)))
        schedule.granted(lease(900), at: start, random: 0.5)
        schedule.loginFailed(refusal, at: start, random: 1)
        #expect(schedule.next == .logIn(at: start + .seconds(1)))
    }

    @Test func `a login that fails leaves a token that lives in use`() {
        var schedule = schedule(lease(900, isRenewable: false))
        schedule.loginFailed(outage, at: start + .seconds(600), random: 1)
        #expect(schedule.token(at: start + .seconds(700)) == token)
    }

    @Test func `a token that Vault does not know is gone, and another one is not touched`() {
        var schedule = schedule(lease(900))
        schedule.lost(SecretBytes("another"))
        #expect(schedule.token(at: start) == token)
        schedule.lost(SecretBytes("first"))
        #expect(schedule.token(at: start) == nil)
        #expect(schedule.next == nil)
    }

    @Test func `a token that is gone does not keep a login that is due from being tried`() {
        var schedule = schedule(lease(900, isRenewable: false))
        schedule.loginFailed(refusal, at: start + .seconds(600), random: 1)
        schedule.lost(token)
        #expect(schedule.next == .logIn(at: start + .seconds(601)))
        #expect(schedule.refusal(at: start + .seconds(600)) == refusal.error)
    }

    @Test func `what is said of a token that is no longer in use changes nothing`() {
        var schedule = schedule(lease(900))
        schedule.renewed(SecretBytes("before"), lease(5), at: start, random: 0.5)
        schedule.renewalFailed(SecretBytes("before"), refusal, at: start, random: 0.5)
        #expect(schedule.next == .renew(at: start + .seconds(600)))
        #expect(schedule.lastError == nil)
    }
}
