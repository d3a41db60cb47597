// Counts of what the gateway has done, in the text format that Prometheus scrapes. Labels come from closed
// sets only: no path, principal or value is ever one.

import PosternAudit
import PosternProtocol
import Synchronization

/// A figure of now, for metrics.
public struct Gauge: Sendable {
    /// Its name, as Prometheus has it; it ends in `_total` if the figure is a count that only grows.
    public let name: String
    /// What it is, in one line.
    public let help: String
    /// Labels, each from a closed set: servers, keys, sinks of the configuration; never paths or principals.
    public let labels: [String: String]
    /// The figure.
    public let value: Double

    /// Makes a gauge.
    public init(_ name: String, _ help: String, _ value: Double, labels: [String: String] = [:]) {
        self.name = name
        self.help = help
        self.value = value
        self.labels = labels
    }

    /// What only grows has a name that says so, as is the custom with Prometheus.
    fileprivate var type: String { name.hasSuffix("_total") ? "counter" : "gauge" }

    /// The line of the text format.
    fileprivate var sample: String {
        let pairs = labels.sorted { $0.key < $1.key }.map { name, value in
            let quoted = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(quoted)\""
        }
        return "\(name)\(pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") \(Self.text(value))\n"
    }

    /// Whole numbers as such.
    private static func text(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? String(value)
    }
}

/// Counts of what the gateway has done since it started.
public final class GatewayMetrics: Sendable {
    private struct Key: Hashable {
        let operation: Operation
        let outcome: String
    }

    private struct State {
        var requests: [Key: Int] = [:]
        var served: [String: Int] = [:]
        var records = 0
        var auditFailures = 0
    }

    // One lock, taken once per record: far below what the record's own fsync costs.
    private let state = Mutex(State())

    /// Makes counts that are all zero.
    public init() {}

    /// Counts a record, and the answer that it stands for if it has an outcome.
    func count(_ operation: Operation, outcome record: AuditRecord) {
        state.withLock { state in
            state.records += 1
            guard let outcome = record.outcome else { return }
            state.requests[Key(operation: operation, outcome: outcome), default: 0] += 1
            if let servedFrom = record.servedFrom { state.served[servedFrom, default: 0] += 1 }
        }
    }

    func countAuditFailure() {
        state.withLock { $0.auditFailures += 1 }
    }

    /// How many audit records were written.
    public var auditRecords: Int { state.withLock { $0.records } }

    /// The counts in the Prometheus text exposition format 0.0.4.
    /// - Parameter gauges: what else to show now; those of one name one after the other.
    public func exposition(gauges: [Gauge] = []) -> String {
        let state = state.withLock { $0 }
        var text = """
            # HELP postern_requests_total Requests answered, by operation and outcome.
            # TYPE postern_requests_total counter

            """
        let requests = state.requests.sorted {
            ($0.key.operation.rawValue, $0.key.outcome) < ($1.key.operation.rawValue, $1.key.outcome)
        }
        for (key, count) in requests {
            text +=
                "postern_requests_total{operation=\"\(key.operation.rawValue)\",outcome=\"\(key.outcome)\"} \(count)\n"
        }
        text += """
            # HELP postern_reads_served_total Reads answered, by where the answer came from.
            # TYPE postern_reads_served_total counter

            """
        for (servedFrom, count) in state.served.sorted(by: { $0.key < $1.key }) {
            text += "postern_reads_served_total{served_from=\"\(servedFrom)\"} \(count)\n"
        }
        text += """
            # HELP postern_audit_records_total Audit records made durable.
            # TYPE postern_audit_records_total counter
            postern_audit_records_total \(state.records)
            # HELP postern_audit_failures_total Requests refused because their audit record could not be made durable.
            # TYPE postern_audit_failures_total counter
            postern_audit_failures_total \(state.auditFailures)

            """
        var last = ""
        for gauge in gauges {
            if gauge.name != last { text += "# HELP \(gauge.name) \(gauge.help)\n# TYPE \(gauge.name) \(gauge.type)\n" }
            last = gauge.name
            text += gauge.sample
        }
        return text
    }
}
