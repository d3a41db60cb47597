// What somebody wants to find in the audit log.

public import PosternProtocol

/// Which records to find. What is nil does not restrict; all that is given must hold.
public struct AuditQuery: Sendable, Equatable {
    /// The place after which a page goes on.
    public struct Place: Sendable, Equatable {
        let microseconds: Int64
        let index: UInt64

        /// Reads a place as it was given out.
        public init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let microseconds = Int64(parts[0]), let index = UInt64(parts[1]), microseconds >= 0,
                index <= UInt64(Int64.max)
            else { return nil }
            self.microseconds = microseconds
            self.index = index
        }

        init(microseconds: Int64, index: UInt64) {
            self.microseconds = microseconds
            self.index = index
        }

        /// The place as text, for the next page's query.
        public var text: String { "\(microseconds)-\(index)" }
    }

    /// The principal, exactly.
    public var who: String?
    /// The action: exactly, or all that begin with what is before a `*` at the end, as in `secret.*`.
    public var what: String?
    /// The secret's path: exactly, or all below a folder, as in `llm/**`.
    public var path: String?
    /// The earliest time.
    public var from: Timestamp?
    /// The time from which on records are not wanted.
    public var to: Timestamp?
    /// The outcome, exactly, as in `ok` or `permission_denied`.
    public var outcome: String?
    /// Where a page before this one ended.
    public var after: Place?
    /// The most records to find.
    public var limit = 100

    /// Makes a query for everything.
    public init() {}
}

/// One page of what was found.
public struct AuditFindings: Sendable, Equatable {
    /// The records' indexes in the log, newest first.
    public let indexes: [UInt64]
    /// Where the next page starts; nil if this was the last.
    public let next: AuditQuery.Place?
    /// How far the log was indexed: records from here on were not looked at.
    public let end: UInt64
}
