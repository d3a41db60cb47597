// What a caller may want to do. Rules name these, requests carry one.

/// Something a policy allows or denies. The raw values are what the policy file says.
public enum Action: String, CaseIterable, Sendable, Codable {
    /// Read a version's payload.
    case read
    /// List names below a prefix.
    case list
    /// See a secret's versions and metadata, not its payload.
    case describe
    /// Write a new version.
    case write
    /// Change settings and labels.
    case updateMetadata = "update_metadata"
    /// Soft-delete versions.
    case delete
    /// Make soft-deleted versions readable again.
    case undelete
    /// Remove versions' data for good.
    case destroy
    /// Remove a secret with everything it has.
    case remove
    /// Ask why a request would be allowed or denied. Has no path.
    case explainPolicy = "explain_policy"
    /// Read the audit log. Has no path.
    case readAudit = "read_audit"
    /// See, verify, rotate, retire and destroy the keys in front of the store. Has no path.
    case manageKeys = "manage_keys"

    /// Whether the action concerns the gateway as a whole, so that requests for it have no path.
    public var isGatewayWide: Bool { ActionSet.gatewayWide.contains(self) }

    /// The action's bit in an ``ActionSet``.
    var bit: UInt16 {
        switch self {
        case .read: 1 << 0
        case .list: 1 << 1
        case .describe: 1 << 2
        case .write: 1 << 3
        case .updateMetadata: 1 << 4
        case .delete: 1 << 5
        case .undelete: 1 << 6
        case .destroy: 1 << 7
        case .remove: 1 << 8
        case .explainPolicy: 1 << 9
        case .readAudit: 1 << 10
        case .manageKeys: 1 << 11
        }
    }
}

/// A set of actions in one machine word, so that matching is a single AND.
struct ActionSet: Hashable, Sendable {
    var bits: UInt16 = 0

    static let all = ActionSet(Action.allCases)
    static let gatewayWide = ActionSet([.explainPolicy, .readAudit, .manageKeys])

    init() {}

    init(_ actions: some Sequence<Action>) {
        for action in actions { bits |= action.bit }
    }

    var isEmpty: Bool { bits == 0 }

    func contains(_ action: Action) -> Bool { bits & action.bit != 0 }

    func intersects(_ other: ActionSet) -> Bool { bits & other.bits != 0 }

    func subtracting(_ other: ActionSet) -> ActionSet {
        var rest = self
        rest.bits &= ~other.bits
        return rest
    }

    mutating func formUnion(_ other: ActionSet) { bits |= other.bits }

    /// The actions, in the order in which ``Action`` declares them.
    var actions: [Action] { Action.allCases.filter(contains) }
}
