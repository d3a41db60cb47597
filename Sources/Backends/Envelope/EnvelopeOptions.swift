// How long domain keys live in memory, and what happens while they cannot be renewed.

/// Settings of an ``EnvelopeBackend``.
public struct EnvelopeOptions: Sendable, Equatable {
    /// How long an unwrapped domain key is used before it is renewed.
    public var keyLifetime: Duration
    /// How long past ``keyLifetime`` a key stays in use while it cannot be renewed because no key wrapper, or
    /// not the store, answers. With zero an outage of the HSM stops reads once keys are past their lifetime.
    public var keyGrace: Duration
    /// How long to wait after a failed renewal before the next.
    public var renewalInterval: Duration
    /// How long fetching and unwrapping a domain key may take in all.
    public var keyTimeout: Duration
    /// The most entries for unwrapped keys in memory (a domain that is read and written takes two); the one
    /// renewed longest ago goes first.
    public var maximumCachedKeys: Int

    /// Makes settings.
    public init(
        keyLifetime: Duration = .seconds(3_600), keyGrace: Duration = .seconds(86_400),
        renewalInterval: Duration = .seconds(5), keyTimeout: Duration = .seconds(10), maximumCachedKeys: Int = 1_024
    ) {
        self.keyLifetime = keyLifetime
        self.keyGrace = keyGrace
        self.renewalInterval = renewalInterval
        self.keyTimeout = keyTimeout
        self.maximumCachedKeys = maximumCachedKeys
    }
}
