// What the audit log remembers about one request: who asked for what, when and why, what was decided
// and by which rule, and how it ended. Never a secret value.

public import PosternProtocol

/// One record of the audit log.
public struct AuditRecord: Sendable, Equatable {
    /// Who asked.
    public struct Actor: Sendable, Equatable {
        /// The principal's name, once known.
        public var principal: String?
        /// How the principal was authenticated: `mtls`, `admin_key`, `none`.
        public var authentication: String
        /// The certificate's SHA-256 fingerprint in hex, or the admin key's name.
        public var credential: String?
        /// The network address that the request came from.
        public var address: String?

        /// Describes who asked.
        public init(
            principal: String? = nil, authentication: String = "none", credential: String? = nil,
            address: String? = nil
        ) {
            self.principal = principal
            self.authentication = authentication
            self.credential = credential
            self.address = address
        }
    }

    /// Whether the record was made before or after the deed. A change has both, a read only the outcome.
    public enum Phase: String, Sendable, CaseIterable {
        /// Recorded before a change is attempted.
        case attempt
        /// Recorded when it is known how it ended.
        case outcome
    }

    /// What policy said.
    public enum Decision: String, Sendable, CaseIterable {
        /// The request was allowed.
        case allow
        /// The request was refused.
        case deny
    }

    /// The longest record, in bytes of canonical JSON: what a 16-bit length in a tlog-tiles entry bundle holds.
    public static let maximumBytes = 65_535
    /// The version of the record's shape, its member `v`.
    public static let formatVersion = 1

    /// When it happened.
    public var time: Timestamp
    /// The request's id, the same in both phases.
    public var requestID: String
    /// The caller's trace id (W3C Trace Context), if it sent one.
    public var traceID: String?
    /// Who asked.
    public var actor: Actor
    /// What was asked, as in `secret.read`.
    public var action: String
    /// The secret's path, where there is one.
    public var path: String?
    /// The secret's version, where there is one.
    public var version: Int?
    /// The names of the payload fields concerned; empty where that says nothing.
    public var fields: [String]
    /// What policy said.
    public var decision: Decision
    /// The id of the rule that decided, if one did.
    public var rule: String?
    /// Whether this was recorded before or after the deed.
    public var phase: Phase
    /// `ok` or an error code; nil in an attempt.
    public var outcome: String?
    /// Why the caller says it asked.
    public var reason: String?
    /// The ticket that the caller gave.
    public var ticket: String?
    /// Who approved, where a second person had to.
    public var approver: String?
    /// Where a read was answered from: `backend`, `cache`, `stale`.
    public var servedFrom: String?
    /// How old the answer was, in milliseconds.
    public var ageMilliseconds: Int?
    /// Whatever else belongs to this action.
    public var detail: [String: String]

    /// Makes a record.
    public init(
        time: Timestamp, requestID: String, traceID: String? = nil, actor: Actor, action: String,
        path: String? = nil, version: Int? = nil, fields: [String] = [], decision: Decision,
        rule: String? = nil, phase: Phase = .outcome, outcome: String? = nil, reason: String? = nil,
        ticket: String? = nil, approver: String? = nil, servedFrom: String? = nil,
        ageMilliseconds: Int? = nil, detail: [String: String] = [:]
    ) {
        self.time = time
        self.requestID = requestID
        self.traceID = traceID
        self.actor = actor
        self.action = action
        self.path = path
        self.version = version
        self.fields = fields
        self.decision = decision
        self.rule = rule
        self.phase = phase
        self.outcome = outcome
        self.reason = reason
        self.ticket = ticket
        self.approver = approver
        self.servedFrom = servedFrom
        self.ageMilliseconds = ageMilliseconds
        self.detail = detail
    }
}
