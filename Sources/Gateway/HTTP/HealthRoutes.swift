// What machines ask without a key: whether the gateway lives, whether to send it traffic, and its counts.

import Hummingbird
import PosternCore
import PosternProtocol
import Synchronization

/// The routes of health and metrics.
final class HealthRoutes: Sendable {
    /// How long to wait for the parts to say how they are.
    private static let patience: Duration = .seconds(2)
    /// How long a report is good for, so that callers without a key cannot make work for the store.
    private static let lifetime: Duration = .seconds(1)

    private let gateway: Gateway
    private let readiness: Readiness
    private let gauges: @Sendable () -> [Gauge]
    private let last = Mutex<(report: Readiness.Report, made: ContinuousClock.Instant)?>(nil)

    init(
        gateway: Gateway, readiness: Readiness,
        gauges: @escaping @Sendable () -> [Gauge]
    ) {
        self.gateway = gateway
        self.readiness = readiness
        self.gauges = gauges
    }

    var routes: [Route] {
        [
            Route("live", .get, .fixed("/healthz"), .open { _, _ in Self.live() }),
            Route("ready", .get, .fixed("/readyz"), .open { [self] _, _ in await ready() }),
            Route("metrics", .get, .fixed("/metrics"), .open { [self] _, _ in metrics() }),
        ]
    }

    private static func live() -> Response {
        var json = AnswerJSON()
        json.object { $0.member("live", true) }
        return json.response()
    }

    private func ready() async -> Response {
        let report = await report()
        var json = AnswerJSON()
        json.object { json in
            json.member("ready", report.isReady)
            json.name("components")
            json.array(report.components) { json, component in
                json.object { json in
                    json.member("name", component.name)
                    json.member("ready", component.isReady)
                    json.member("detail", component.detail)
                }
            }
        }
        return json.response(status: report.isReady ? .ok : .serviceUnavailable)
    }

    private func report() async -> Readiness.Report {
        // What can be known without asking the store is always of now.
        if let last = last.withLock({ $0 }), ContinuousClock.now - last.made < Self.lifetime,
            last.report.isReady == readiness.isReady
        {
            return last.report
        }
        let report = await readiness.report(deadline: .after(Self.patience))
        last.withLock { $0 = (report, .now) }
        return report
    }

    private func metrics() -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: gateway.metrics.exposition(gauges: gauges()))))
    }
}
