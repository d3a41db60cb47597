// Where a read was answered from. Every answer declares it, so that staleness is never silent.

/// Where a version was read from, and how old the answer may be.
public enum Freshness: Sendable, Equatable {
    /// The store answered just now.
    case live
    /// A cache answered with what the store said this long ago, within its time to live.
    case cached(age: Duration)
    /// The store could not be reached: a cache answered with what the store said this long ago.
    case stale(age: Duration)

    /// The stable name used on the wire and in the audit log: `backend`, `cache` or `stale`.
    public var servedFrom: String {
        switch self {
        case .live: "backend"
        case .cached: "cache"
        case .stale: "stale"
        }
    }

    /// How long ago the store said so; zero when it answered just now.
    public var age: Duration {
        switch self {
        case .live: .zero
        case .cached(let age), .stale(let age): age
        }
    }
}
