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
    /// How old a domain key may become before it is due to be rotated; nil for as old as it likes.
    public var rotateAfter: Duration?
    /// How many secrets a second a job goes over at most, where its order does not say; 0 for as many as can be.
    public var jobRate = 100
    /// How long a gateway that works on a job may be silent before another takes over.
    public var jobLease: Duration = .seconds(30)
    /// How long a job waits after a failure that may pass.
    public var jobRetry: Duration = .seconds(5)
    /// How long a request to destroy a domain key waits for its approval.
    public var approvalTime: Duration = .seconds(86_400)

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
