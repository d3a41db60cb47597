// What audit records and metrics call the things that the gateway does.

/// A thing the gateway does. Raw values are the `action` of audit records and never change.
public enum Operation: String, Sendable, CaseIterable {
    case read = "secret.read"
    case list = "secret.list"
    case describe = "secret.describe"
    case write = "secret.write"
    case updateMetadata = "secret.update_metadata"
    case delete = "secret.delete"
    case undelete = "secret.undelete"
    case destroy = "secret.destroy"
    case remove = "secret.remove"
    case explainPolicy = "policy.explain"
    case reloadPolicy = "policy.reload"
    case reloadTLS = "tls.reload"
    case reloadRevocation = "revocation.reload"
    case readAudit = "audit.read"
    case authenticate = "authenticate"
    case start = "gateway.start"
    case stop = "gateway.stop"
}
