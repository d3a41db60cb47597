// The times of a connection, on a clock of our own.

import Testing

@testable import PosternGRPCTransport

struct `A connection's lifetime` {
    private let start = ContinuousClock.now
    private let configuration: GRPCServer.Configuration = {
        var configuration = GRPCServer.Configuration()
        configuration.idleTimeout = .seconds(100)
        configuration.keepaliveInterval = .seconds(10)
        configuration.keepaliveTimeout = .seconds(3)
        configuration.maximumConnectionAge = .seconds(50)
        configuration.connectionAgeGrace = .seconds(20)
        return configuration
    }()

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start.advanced(by: .seconds(seconds)) }

    private func make(_ change: (inout GRPCServer.Configuration) -> Void = { _ in }) -> ConnectionLifetime {
        var configuration = configuration
        change(&configuration)
        return ConnectionLifetime(configuration: configuration, now: start, jitter: 1)
    }

    @Test func `has a silent peer pinged, and closed when it does not answer`() {
        var lifetime = make()
        #expect(lifetime.due == at(10))
        #expect(lifetime.act(now: at(9.9)) == .none)
        #expect(lifetime.act(now: at(10)) == .ping)
        #expect(lifetime.act(now: at(12)) == .none)
        #expect(lifetime.due == at(13))
        #expect(lifetime.act(now: at(13)) == .close)
    }

    @Test func `goes on when the peer says something`() {
        var lifetime = make()
        #expect(lifetime.act(now: at(10)) == .ping)
        let isAnswer = lifetime.heard(now: at(11))
        #expect(isAnswer)
        #expect(lifetime.act(now: at(14)) == .none)
        #expect(lifetime.due == at(21))
    }

    @Test func `ends in two steps when it is old`() {
        var lifetime = make()
        _ = lifetime.heard(now: at(49))
        lifetime.calls(areOpen: true, now: at(49))
        #expect(lifetime.due == at(50))
        #expect(lifetime.act(now: at(50)) == .announceShutdown)
        #expect(lifetime.act(now: at(50.5)) == .none)
        #expect(lifetime.act(now: at(51)) == .goAway)
        _ = lifetime.heard(now: at(69))
        #expect(lifetime.act(now: at(69)) == .none)
        #expect(lifetime.act(now: at(70)) == .close)
    }

    @Test func `refuses new calls as soon as the peer has seen the announcement`() {
        var lifetime = make()
        #expect(lifetime.shutdownAnswered() == .none)
        #expect(lifetime.drain(within: .seconds(5), now: at(1)) == .announceShutdown)
        #expect(lifetime.drain(within: .seconds(9), now: at(1)) == .none)
        #expect(lifetime.shutdownAnswered() == .goAway)
        #expect(lifetime.shutdownAnswered() == .none)
        #expect(lifetime.due == at(6))
        #expect(lifetime.act(now: at(6)) == .close)
    }

    @Test func `ends when there have been no calls for long`() {
        var lifetime = make { $0.maximumConnectionAge = nil }
        lifetime.calls(areOpen: true, now: at(1))
        lifetime.calls(areOpen: false, now: at(2))
        lifetime.calls(areOpen: false, now: at(60))
        _ = lifetime.heard(now: at(101))
        #expect(lifetime.act(now: at(101)) == .none)
        #expect(lifetime.due == at(102))
        #expect(lifetime.act(now: at(102)) == .announceShutdown)
    }

    @Test func `is not idle while a call is open`() {
        var lifetime = make { $0.maximumConnectionAge = nil }
        lifetime.calls(areOpen: true, now: at(1))
        _ = lifetime.heard(now: at(1_000))
        #expect(lifetime.act(now: at(1_000)) == .none)
    }
}
