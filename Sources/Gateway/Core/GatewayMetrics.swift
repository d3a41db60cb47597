// Counts of what the gateway has done, in the text format that Prometheus scrapes. Labels come from closed
// sets only: no path, principal or value is ever one.

import PosternAudit
import PosternProtocol
import Synchronization

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
    /// - Parameter gauges: what else to show now, as name, help and value.
    public func exposition(gauges: [(name: String, help: String, value: Double)] = []) -> String {
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
        for gauge in gauges {
            text += "# HELP \(gauge.name) \(gauge.help)\n# TYPE \(gauge.name) gauge\n\(gauge.name) \(gauge.value)\n"
        }
        return text
    }
}
