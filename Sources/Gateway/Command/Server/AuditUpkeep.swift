// Removes audit records that are older than they have to be kept, unless a legal hold keeps them; and says how the
// published log is.

import Logging
import PosternAudit
import PosternConfiguration
import PosternCore
import PosternProtocol
import ServiceLifecycle

/// Looks after the published audit log while the gateway runs.
final class AuditUpkeep: Service {
    /// How often to look for records that are too old.
    private static let interval: Duration = .seconds(3_600)
    /// How long recording what is removed may take.
    private static let patience: Duration = .seconds(60)

    private let audit: AuditLog
    private let settings: GatewayConfiguration.Audit
    private let clock: any WallClock
    private let logger: Logger

    init(audit: AuditLog, settings: GatewayConfiguration.Audit, clock: any WallClock, logger: Logger) {
        self.audit = audit
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }

    /// Runs until the gateway stops.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                if let retention = settings.retention, !settings.legalHold { await prune(retention) }
                do {
                    try await Task.sleep(for: Self.interval)
                } catch {
                    return
                }
            }
        }
    }

    private func prune(_ retention: Duration) async {
        let now = clock.now()
        do throws(SecretError) {
            let minimum = try await audit.prune(
                before: now.advanced(by: .zero - retention), at: now, deadline: .after(Self.patience))
            guard let minimum else { return }
            logger.notice("old audit records were removed, on record", metadata: ["below_index": "\(minimum)"])
        } catch {
            logger.warning(
                "old audit records could not be removed; trying again later", metadata: ["error": "\(error)"])
        }
    }

    /// The state of the published log for metrics.
    var gauges: [Gauge] {
        let publication = audit.publication
        return [
            Gauge(
                "postern_audit_checkpoint_size", "Audit records that the published checkpoint covers.",
                Double(publication.size)),
            Gauge(
                "postern_audit_checkpoint_age_seconds",
                "How long the oldest audit record that no checkpoint covers has waited; 0 if all are covered.",
                publication.age / .seconds(1)),
        ]
    }
}
