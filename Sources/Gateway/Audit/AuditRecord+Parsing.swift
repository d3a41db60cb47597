// A record read back from its JSON: for whatever is derived from the log.

import PosternCoding
public import PosternProtocol

extension AuditRecord {
    /// Reads a record as ``appendCanonicalJSON(to:)`` wrote it. Members that this version does not know are passed over:
    /// a later one may have written the record.
    /// - Parameter json: the record, without a newline.
    /// - Throws: `integrity_failure` saying which member is wrong or missing.
    public init(json: [UInt8]) throws(SecretError) {
        var parsed = Parsed()
        do throws(SecretError) {
            try unsafe json.withUnsafeBufferPointer { (bytes) throws(SecretError) in
                try unsafe JSONReader.read(UnsafeRawBufferPointer(bytes)) { (json, name) throws(SecretError) in
                    try parsed.read(name, &json)
                }
            }
        } catch {
            throw SecretError(.integrityFailure, "A record of the audit log does not parse: \(error.message)")
        }
        self = try parsed.record()
    }

    /// What has been read so far.
    private struct Parsed {
        var time: Timestamp?
        var requestID, traceID, action, path, rule, outcome, reason, ticket, approver, servedFrom: String?
        var actor: Actor?
        var version, age: Int?
        var fields: [String] = []
        var decision: Decision?
        var phase: Phase?
        var detail: [String: String] = [:]

        mutating func read(_ name: String, _ json: inout JSONReader) throws(SecretError) {
            let what = "The member \(name)"
            switch name {
            case "time": time = Timestamp(try json.string(what))
            case "request_id": requestID = try json.string(what)
            case "trace_id": traceID = try json.string(what)
            case "actor": actor = try Self.actor(&json)
            case "action": action = try json.string(what)
            case "path": path = try json.string(what)
            case "version": version = try json.integer(what)
            case "fields":
                try json.array(what) { (json) throws(SecretError) in fields.append(try json.string("A field's name")) }
            case "decision": decision = Decision(rawValue: try json.string(what))
            case "rule": rule = try json.string(what)
            case "phase": phase = Phase(rawValue: try json.string(what))
            case "outcome": outcome = try json.string(what)
            case "reason": reason = try json.string(what)
            case "ticket": ticket = try json.string(what)
            case "approver": approver = try json.string(what)
            case "served_from": servedFrom = try json.string(what)
            case "age_ms": age = try json.integer(what)
            case "detail":
                try json.object(what) { (json, name) throws(SecretError) in
                    detail[name] = try json.string("The member \(name) of detail")
                }
            default: _ = unsafe try json.raw(what)
            }
        }

        private static func actor(_ json: inout JSONReader) throws(SecretError) -> Actor {
            var actor = Actor()
            try json.object("The member actor") { (json, name) throws(SecretError) in
                let what = "The member \(name) of actor"
                switch name {
                case "principal": actor.principal = try json.string(what)
                case "authentication": actor.authentication = try json.string(what)
                case "credential": actor.credential = try json.string(what)
                case "address": actor.address = try json.string(what)
                default: _ = unsafe try json.raw(what)
                }
            }
            return actor
        }

        func record() throws(SecretError) -> AuditRecord {
            guard let time, let requestID, let actor, let action, let decision, let phase else {
                throw SecretError(
                    .integrityFailure,
                    "A record of the audit log has no time, request_id, actor, action, decision or phase that is known."
                )
            }
            return AuditRecord(
                time: time, requestID: requestID, traceID: traceID, actor: actor, action: action, path: path,
                version: version, fields: fields, decision: decision, rule: rule, phase: phase, outcome: outcome,
                reason: reason, ticket: ticket, approver: approver, servedFrom: servedFrom, ageMilliseconds: age,
                detail: detail)
        }
    }
}
