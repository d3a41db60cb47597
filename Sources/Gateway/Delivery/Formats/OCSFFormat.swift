// Records as events of the Open Cybersecurity Schema Framework. docs/siem.md has the table.
//
// The attestation is over the record, whose bytes are the event's `raw_data`: they are what the log's tree is made of,
// and the event is derived from them. Its fingerprint is the leaf hash, the previous event's likewise, so that each event
// alone can be checked against any checkpoint of the log.

import PosternAudit
import PosternProtocol
import TransparencyLog

enum OCSFFormat {
    /// The version of the schema, the first that has `record_integrity`.
    static let schemaVersion = "1.9.0-dev"

    static func event(of delivered: DeliveredRecord, from product: ProductName) -> JSONValue {
        let (record, kind) = (delivered.record, OCSFClass(of: delivered.record))
        let (category, severity) = (kind.kind.category, record.weight.ocsf)
        let status = status(record)
        return .object(
            [
                ("activity_id", .number(kind.activity)), ("activity_name", .text(kind.activityName)),
                ("category_uid", .number(category.id)), ("category_name", .text(category.caption)),
                ("class_uid", .number(kind.kind.rawValue)), ("class_name", .text(kind.kind.caption)),
                ("type_uid", .number(kind.kind.rawValue * 100 + kind.activity)),
                ("type_name", .text("\(kind.kind.caption): \(kind.activity == 99 ? "Other" : kind.activityName)")),
                ("time", .number(Int(record.time.microseconds / 1_000))),
                ("severity_id", .number(severity.id)), ("severity", .text(severity.caption)),
                ("status_id", .number(status.id)), ("status", .text(status.caption)),
                ("status_code", JSONValue(record.outcome)),
                ("message", .text(record.summary)),
                ("metadata", metadata(delivered, kind, from: product)),
            ] + members(record, kind, from: product) + [
                ("attestation_list", .list([attestation(delivered)])),
                ("raw_data", .text(String(decoding: delivered.json, as: UTF8.self))),
                ("unmapped", unmapped(record, kind)),
            ])
    }

    private static func status(_ record: AuditRecord) -> (id: Int, caption: String) {
        if record.phase == .attempt { return (99, "Attempt") }
        return record.decision == .allow && record.outcome == "ok" ? (1, "Success") : (2, "Failure")
    }

    private static func metadata(
        _ delivered: DeliveredRecord, _ kind: OCSFClass, from product: ProductName
    ) -> JSONValue {
        let record = delivered.record
        let profiles = (hasTrace(record, kind) ? ["trace"] : []) + ["record_integrity"]
        return .object([
            ("version", .text(schemaVersion)),
            (
                "product",
                .object([
                    ("name", .text(product.name)), ("vendor_name", .text(product.name)),
                    ("version", .text(product.version)),
                ])
            ),
            ("profiles", JSONValue(profiles)),
            ("uid", .text(uid(delivered.index, of: delivered.origin))),
            ("original_event_uid", .text(uid(delivered.index, of: delivered.origin))),
            ("correlation_uid", .text(record.requestID)),
            ("sequence", .number(Int(clamping: delivered.index))),
            ("event_code", .text(record.action)),
            ("log_name", .text(delivered.origin)),
            ("log_version", .text(String(AuditRecord.formatVersion))),
            ("original_time", .text(record.time.description)),
        ])
    }

    /// What a record is called among those of all logs.
    static func uid(_ index: UInt64, of origin: String) -> String { "\(origin)#\(index)" }

    /// Only an API Activity can have a trace.
    private static func hasTrace(_ record: AuditRecord, _ kind: OCSFClass) -> Bool {
        record.traceID != nil && kind.kind == .apiActivity
    }

    private static func attestation(_ delivered: DeliveredRecord) -> JSONValue {
        func fingerprint(_ value: String) -> JSONValue {
            .object([
                ("algorithm_id", .number(99)), ("algorithm", .text("RFC 6962 leaf SHA-256")), ("value", .text(value)),
            ])
        }
        let previous = delivered.previousHash.map { hash in
            JSONValue.object([
                ("uid", .text(uid(delivered.index - 1, of: delivered.origin))), ("fingerprint", fingerprint(hash.hex)),
            ])
        }
        return .object([
            ("uid", .text(uid(delivered.index, of: delivered.origin))),
            ("authority_uid", .text(delivered.origin)), ("chain_uid", .text(delivered.origin)),
            ("fingerprint", fingerprint(delivered.leafHash.hex)), ("prev_event", previous),
        ])
    }

    /// What has no attribute in the class.
    private static func unmapped(_ record: AuditRecord, _ kind: OCSFClass) -> JSONValue? {
        let isEntity = kind.kind == .entityManagement
        return .object([
            ("phase", .text(record.phase.rawValue)),
            ("authentication", .text(record.actor.authentication)),
            ("reason", isEntity ? nil : JSONValue(record.reason)),
            ("ticket", JSONValue(record.ticket)), ("approver", JSONValue(record.approver)),
            ("served_from", JSONValue(record.servedFrom)), ("age_ms", JSONValue(record.ageMilliseconds)),
            ("fields", JSONValue(record.fields)), ("detail", JSONValue(record.detail)),
            ("trace_id", hasTrace(record, kind) ? nil : JSONValue(record.traceID)),
        ])
    }
}
