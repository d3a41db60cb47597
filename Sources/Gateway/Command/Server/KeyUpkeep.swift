// What has to be done for keys while the gateway runs: jobs worked on, keys checked and rotated on schedule. All of it
// is on record as the gateway's own doing.

import Envelope
import Logging
import PosternConfiguration
import PosternCore
import PosternProtocol
import ServiceLifecycle
import Synchronization

/// Works on jobs on keys, checks key-encryption keys, rotates domain keys.
final class KeyUpkeep: Service {
    /// How often to look for jobs that other gateways left.
    private static let jobInterval: Duration = .seconds(5)
    /// How often at least to look for keys that are due.
    private static let rotationInterval: Duration = .seconds(600)
    /// How long to wait at most after a check that could not be made, or found a key that cannot be used.
    private static let retry: Duration = .seconds(60)
    /// How long a check or a look may take.
    private static let patience: Duration = .seconds(900)

    private let envelope: EnvelopeBackend
    private let gateway: Gateway
    private let requestIDs: RequestIDs
    private let settings: GatewayConfiguration.Envelope
    private let clock: any WallClock
    private let logger: Logger
    private let nextRotation = Mutex<Timestamp?>(nil)

    init(
        envelope: EnvelopeBackend, gateway: Gateway, requestIDs: RequestIDs,
        settings: GatewayConfiguration.Envelope, clock: any WallClock, logger: Logger
    ) {
        self.envelope = envelope
        self.gateway = gateway
        self.requestIDs = requestIDs
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }

    /// Runs until the gateway stops.
    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.workOnJobs() }
                group.addTask {
                    await self.every {
                        Self.jobInterval
                    } do: {
                        self.envelope.lookForJobs()
                    }
                }
                if let interval = settings.verifyInterval {
                    group.addTask {
                        await self.repeatedly { await self.verify() ? interval : min(interval, Self.retry) }
                    }
                }
                if let age = settings.rotateAfter {
                    let interval = min(max(age / 10, .seconds(1)), Self.rotationInterval)
                    group.addTask {
                        await self.every {
                            interval
                        } do: {
                            await self.rotate()
                        }
                    }
                }
            }
        }
    }

    /// The state of keys for metrics.
    var gauges: [Gauge] {
        var gauges = envelope.keyUses.flatMap { use in
            [("ok", use.successes), ("failed", use.failures)].map { outcome, count in
                Gauge(
                    "postern_kek_operations_total", "What was asked of key-encryption keys, by operation and outcome.",
                    Double(count), labels: ["kek": use.kek, "operation": use.operation.rawValue, "outcome": outcome])
            }
        }
        if let report = envelope.lastVerification {
            for result in report.keks {
                gauges.append(
                    Gauge(
                        "postern_kek_ok", "Whether the key-encryption key opened everything at its last check.",
                        result.ok ? 1 : 0, labels: ["kek": result.kek]))
            }
            gauges.append(
                Gauge(
                    "postern_kek_verified_seconds", "When key-encryption keys were last checked (Unix time).",
                    Double(report.verifiedAt.microseconds / 1_000_000)))
        }
        if let next = nextRotation.withLock({ $0 }) {
            gauges.append(
                Gauge(
                    "postern_key_next_rotation_seconds", "When the first domain key is due to be rotated (Unix time).",
                    Double(next.microseconds / 1_000_000)))
        }
        return gauges
    }

    private func workOnJobs() async {
        let owner = requestIDs.next()
        await withDiscardingTaskGroup { group in
            // A short job does not wait behind a long one.
            for await _ in envelope.jobSignals { group.addTask { await self.workOnJobs(as: owner) } }
        }
    }

    private func workOnJobs(as owner: String) async {
        do throws(SecretError) {
            for job in try await envelope.workOnJobs(as: owner) { await record(job) }
        } catch {
            logger.warning("work on keys waits", metadata: ["error": "\(error)"])
        }
    }

    private func record(_ job: KeyJob) async {
        let operation: PosternCore.Operation =
            switch job.order.kind {
            case .rewrap: .rewrapKeys
            case .reencrypt: .reencrypt
            case .references: .findKeyReferences
            }
        logger.info("a job on keys ended", metadata: ["job": "\(job.id)", "state": "\(job.state.rawValue)"])
        do {
            try await gateway.recordSystem(operation, requestID: requestIDs.next(), detail: job.recorded)
        } catch {
            logger.error("the end of a job could not be recorded", metadata: ["error": "\(error.error)"])
        }
    }

    /// Checks every key-encryption key.
    /// - Returns: whether all are good.
    private func verify() async -> Bool {
        var isGood = true
        do throws(AuditedError) {
            try await gateway.performSystem(.verifyKeys, requestID: requestIDs.next()) {
                () async throws(SecretError) in
                let report = try await envelope.verify(domain: nil, deadline: .after(Self.patience))
                for result in report.keks where !result.ok {
                    logger.error(
                        "a key-encryption key does not open what is wrapped under it",
                        metadata: ["kek": "\(result.kek)", "problem": "\(result.problem ?? "")"])
                }
                isGood = report.isGood
                return report.recorded
            }
            return isGood
        } catch {
            logger.warning("key-encryption keys could not be checked", metadata: ["error": "\(error.error)"])
            return false
        }
    }

    /// Rotates the domain keys that are due.
    private func rotate() async {
        do throws(SecretError) {
            let now = clock.now()
            var dates: [Timestamp] = []
            for domain in try await envelope.register(deadline: .after(Self.patience)).domains {
                guard var date = domain.nextRotation else { continue }
                if date <= now, let rotated = try await rotate(domain.name) { date = rotated }
                dates.append(date)
            }
            let first = dates.min()
            nextRotation.withLock { $0 = first }
        } catch {
            logger.warning("keys that are due could not be rotated", metadata: ["error": "\(error)"])
        }
    }

    /// Rotates a domain's key.
    /// - Returns: when the next rotation is due.
    private func rotate(_ domain: String) async throws(SecretError) -> Timestamp? {
        var next: Timestamp?
        do throws(AuditedError) {
            try await gateway.performSystem(.rotateKey, requestID: requestIDs.next()) {
                () async throws(SecretError) in
                let rotated = try await envelope.rotateIfDue(domain, deadline: .after(Self.patience))
                next = rotated?.nextRotation
                guard let rotated else { return ["domain": domain, "rotated": "by another gateway"] }
                return ["domain": domain, "key_version": String(rotated.current)]
            }
        } catch {
            throw error.error
        }
        return next
    }

    /// Does something now, and again after as long as it says, until cancelled.
    private func repeatedly(_ act: () async -> Duration) async {
        while !Task.isCancelled {
            let pause = await act()
            // Cancelled while asleep means to stop, which the loop's condition sees.
            try? await Task.sleep(for: pause)
        }
    }

    private func every(_ interval: () -> Duration, do act: () async -> Void) async {
        await repeatedly {
            await act()
            return interval()
        }
    }
}
