// Which class of OCSF each kind of record is an event of, and which activity.

import PosternAudit

/// A class of OCSF with an activity.
struct OCSFClass {
    enum Kind: Int {
        case apiActivity = 6003
        case applicationLifecycle = 6002
        case authentication = 3002
        case entityManagement = 3004

        var caption: String {
            switch self {
            case .apiActivity: "API Activity"
            case .applicationLifecycle: "Application Lifecycle"
            case .authentication: "Authentication"
            case .entityManagement: "Entity Management"
            }
        }

        var category: (id: Int, caption: String) {
            switch self {
            case .apiActivity, .applicationLifecycle: (6, "Application Activity")
            case .authentication, .entityManagement: (3, "Identity & Access Management")
            }
        }
    }

    let kind: Kind
    let activity: Int
    let activityName: String
    /// What is managed, in Entity Management.
    var entity: (type: String, typeID: Int) = ("", 0)

    /// The class and activity of a record. An action that is not known is an API Activity of another kind, named by
    /// itself.
    init(of record: AuditRecord) {
        let action = record.action
        self =
            switch action {
            case "authenticate": OCSFClass(kind: .authentication, activity: 1, activityName: "Logon")
            case "gateway.start": .lifecycle(3, "Start")
            case "gateway.stop": .lifecycle(4, "Stop")
            case "tls.reload", "revocation.reload": .lifecycle(8, "Update")
            case "policy.reload": .entity(3, "Update", ("Policy", 5))
            case "key.rotate", "key.rewrap", "key.reencrypt": .entity(3, "Update", ("Key", 99))
            case "key.retire": .entity(11, "Deactivate", ("Key", 99))
            case "key.destroy_requested": .entity(99, "Request Destruction", ("Key", 99))
            case "key.destroyed": .entity(4, "Delete", ("Key", 99))
            case "audit.rotate_key": .entity(3, "Update", ("Audit Signing Key", 99))
            case "audit.prune": .entity(4, "Delete", ("Audit Records", 99))
            case "secret.write", "secret.update_metadata", "secret.undelete": .api(3, "Update")
            case "secret.delete", "secret.destroy", "secret.remove": .api(4, "Delete")
            case "secret.read", "secret.list", "secret.describe", "policy.explain", "audit.read", "key.list",
                "key.verify", "key.references":
                .api(2, "Read")
            default: .api(99, action)
            }
    }

    private init(kind: Kind, activity: Int, activityName: String) {
        self.kind = kind
        self.activity = activity
        self.activityName = activityName
    }

    private static func api(_ activity: Int, _ name: String) -> OCSFClass {
        OCSFClass(kind: .apiActivity, activity: activity, activityName: name)
    }

    private static func lifecycle(_ activity: Int, _ name: String) -> OCSFClass {
        OCSFClass(kind: .applicationLifecycle, activity: activity, activityName: name)
    }

    private static func entity(_ activity: Int, _ name: String, _ entity: (String, Int)) -> OCSFClass {
        var result = OCSFClass(kind: .entityManagement, activity: activity, activityName: name)
        result.entity = entity
        return result
    }

    /// Whether it is a change to what the gateway itself is made of.
    var isChange: Bool { kind == .entityManagement || kind == .applicationLifecycle }
}
