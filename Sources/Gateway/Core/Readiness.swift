// Whether the gateway should be sent traffic, and what a person should know about its parts.

public import PosternAudit
public import PosternProtocol
import Synchronization

/// The gateway's health, for load balancers and people.
public final class Readiness: Sendable {
    /// How one part is.
    public struct Component: Sendable, Equatable {
        /// The part's name.
        public let name: String
        /// Whether it works.
        public let isReady: Bool
        /// What a person should know.
        public let detail: String

        /// Describes a part.
        public init(name: String, isReady: Bool, detail: String) {
            self.name = name
            self.isReady = isReady
            self.detail = detail
        }
    }

    /// How the gateway is.
    public struct Report: Sendable, Equatable {
        /// Whether it should be sent traffic.
        public let isReady: Bool
        /// Its parts.
        public let components: [Component]
    }

    private let backend: any SecretBackend
    private let audit: AuditLog
    private let details: @Sendable () -> [Component]
    private let draining = Mutex(false)

    /// Makes one for a gateway's parts.
    /// - Parameters:
    ///   - backend: the store.
    ///   - audit: the audit log.
    ///   - details: further parts, of which none makes the gateway unready.
    public init(
        backend: any SecretBackend, audit: AuditLog, details: @escaping @Sendable () -> [Component] = { [] }
    ) {
        self.backend = backend
        self.audit = audit
        self.details = details
    }

    /// From now on the gateway is not ready: it is going down.
    public func startDraining() {
        draining.withLock { $0 = true }
    }

    /// Whether the gateway is going down.
    public var isDraining: Bool { draining.withLock { $0 } }

    /// Whether the gateway should be sent traffic, without asking the backend.
    ///
    /// A backend's outage alone does not make it unready: secrets that were read recently are still served,
    /// and taking every replica out of service would stop that too.
    public var isReady: Bool {
        audit.health.isReady && !isDraining
    }

    /// Asks every part.
    public func report(deadline: Deadline) async -> Report {
        let isDraining = self.isDraining
        let auditHealth = audit.health
        let backendHealth = await backend.health(deadline: deadline)
        return Report(
            isReady: auditHealth.isReady && !isDraining,
            components: [
                Component(name: "audit", isReady: auditHealth.isReady, detail: auditHealth.detail),
                Component(
                    name: "backend", isReady: backendHealth.isReady, detail: "\(backend.name): \(backendHealth.detail)"),
                Component(name: "gateway", isReady: !isDraining, detail: isDraining ? "shutting down" : "serving"),
            ] + details())
    }
}
