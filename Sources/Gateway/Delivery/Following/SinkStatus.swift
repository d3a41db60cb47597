// How a sink is, for metrics and health.

/// How a sink is.
public struct SinkStatus: Sendable, Equatable {
    /// The sink's name.
    public let name: String
    /// How many durable records it has not been given.
    public var lag: UInt64
    /// How old the first of them is; zero where there are none.
    public var lagAge: Duration
    /// How many records it was given, those that were given again included.
    public var delivered: UInt64
    /// How many attempts failed.
    public var failures: UInt64
    /// How many records were removed as too old before it was given them.
    public var missed: UInt64
    /// Why it is not being given records at present, if it is not.
    public var problem: String?

    /// How it is, in a line, without where it is and why it fails.
    public var summary: String {
        var text =
            lag == 0 ? "up to date" : "\(lag) records behind, the first is \(lagAge.components.seconds) s old"
        if problem != nil { text += "; it takes none at present, and the gateway's log says why" }
        if missed > 0 { text += "; \(missed) records were removed as too old before it was given them" }
        return text
    }
}
