// The question to a policy and its answer.

public import PosternProtocol

/// One question: may this principal do this to that secret, now?
public struct AccessRequest: Sendable, Equatable {
    /// Who asks.
    public let principal: PrincipalID
    /// What for.
    public let action: Action
    /// On which secret; nil for gateway-wide actions. An action that needs a path is denied without one.
    public let path: SecretPath?
    /// What conditions look at.
    public let context: AccessContext

    /// Makes a request.
    public init(principal: PrincipalID, action: Action, path: SecretPath?, context: AccessContext) {
        self.principal = principal
        self.action = action
        self.path = path
        self.context = context
    }
}

/// The circumstances of a request, which conditions look at.
public struct AccessContext: Sendable, Equatable {
    /// The time now. Policies count in UTC.
    public let time: Timestamp
    /// The caller's IP address as text, IPv4 or IPv6; a zone (`%eth0`) is ignored. Nil, or text that
    /// is no address, is an unknown address: no allow rule with `networks` applies, and every deny rule's holds.
    public let address: String?
    /// The reason the caller gave. Blank counts as none.
    public let reason: String?
    /// Who else approved this request; counts only if it is not the caller.
    public let approver: PrincipalID?

    /// Makes a context.
    public init(time: Timestamp, address: String? = nil, reason: String? = nil, approver: PrincipalID? = nil) {
        self.time = time
        self.address = address
        self.reason = reason
        self.approver = approver
    }
}

/// The answer to an ``AccessRequest``.
public struct Decision: Sendable, Equatable {
    /// Whether the request may go on.
    public let isAllowed: Bool
    /// The rule that decided, or nil where no rule applied (which denies).
    public let ruleID: String?
    /// Where no rule applied: what was missing for the first allow rule, in file order, that would
    /// otherwise have granted the request, as in `a reason is required`. Else empty.
    public let unmet: [String]

    /// Makes a decision.
    public init(isAllowed: Bool, ruleID: String?, unmet: [String] = []) {
        self.isAllowed = isAllowed
        self.ruleID = ruleID
        self.unmet = unmet
    }
}
