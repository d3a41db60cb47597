// Delivers the audit log to the sinks of the configuration while the gateway runs.

import Glibc
import Logging
import NIOCore
import PosternAudit
import PosternConfiguration
import PosternCore
import PosternDelivery
import PosternProtocol
import ServiceLifecycle

/// Delivers the audit log to sinks.
struct SinkService: Service {
    private let delivery: AuditDelivery

    /// - Throws: `invalid_argument` if a sink's URL cannot be used.
    init(
        _ settings: GatewayConfiguration.Audit, audit: AuditLog, group: any EventLoopGroup, clock: any WallClock,
        logger: Logger
    ) throws(SecretError) {
        delivery = try AuditDelivery(
            sinks: settings.sinks.map { SinkOptions($0) }, audit: audit, directory: settings.directory,
            product: ProductName(version: BuildVersion.text), group: group, clock: clock, logger: logger)
    }

    /// Runs until the gateway stops.
    func run() async throws {
        // A service that ends by itself ends the gateway.
        guard !delivery.statuses.isEmpty else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown { [delivery] in await delivery.run() }
    }

    /// How each sink is, for metrics.
    var gauges: [Gauge] {
        let statuses = delivery.statuses
        func gauges(_ name: String, _ help: String, _ value: (SinkStatus) -> Double) -> [Gauge] {
            statuses.map { Gauge("postern_audit_sink_\(name)", help, value($0), labels: ["sink": $0.name]) }
        }
        return gauges("lag_records", "Audit records that the sink has not been given.") { Double($0.lag) }
            + gauges("lag_seconds", "How old the first of them is.") { $0.lagAge / .seconds(1) }
            + gauges("delivered_total", "Audit records that the sink was given, some of them again after a break.") {
                Double($0.delivered)
            }
            + gauges("failures_total", "Attempts to give the sink audit records that failed.") { Double($0.failures) }
            + gauges("missed_total", "Audit records that were removed as too old before the sink was given them.") {
                Double($0.missed)
            }
    }

    /// How each sink is, for people; none takes the gateway out of service. Why one fails is in the gateway's log: not
    /// everybody who may ask for health need know where records go.
    var components: [Readiness.Component] {
        delivery.statuses.map { status in
            Readiness.Component(name: "audit sink \(status.name)", isReady: true, detail: status.summary)
        }
    }
}

extension SinkOptions {
    /// A sink as it is configured; the configuration has checked that what it needs is there.
    init(_ setting: SinkSetting) {
        let identity: (certificate: String, key: String)? =
            if let certificate = setting.certificate, let key = setting.key { (certificate, key) } else { nil }
        let tls = SinkTLS(authorities: setting.authorities, identity: identity)
        let kind: Kind
        switch setting.kind {
        case .syslog:
            var options = SyslogOptions(
                host: setting.address?.host ?? "", port: setting.address?.port ?? 0, tls: setting.isTLS ? tls : nil,
                hostname: setting.hostname ?? HostName.current)
            if let id = setting.structuredDataID { options.structuredDataID = id }
            kind = .syslog(options)
        case .webhook:
            var options = WebhookOptions(
                url: setting.url ?? "", body: WebhookOptions.Body(rawValue: setting.body) ?? .lines)
            options.tls = tls
            options.authorizationFile = setting.authorizationFile
            options.signingKeyFile = setting.hmacKeyFile
            kind = .webhook(options)
        case .file:
            kind = .file(path: setting.path ?? "")
        }
        self.init(
            name: setting.name, kind: kind, format: RecordFormat(rawValue: setting.format) ?? .json,
            startsAtEnd: setting.startsAtEnd)
    }
}

/// The name of this machine.
private enum HostName {
    static var current: String {
        var bytes = [CChar](repeating: 0, count: 256)
        let isKnown = bytes.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { gethostname($0, buffer.count - 1) == 0 } ?? false
        }
        return isKnown ? String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "-"
    }
}
