// What each class of OCSF has beside what all events have.

import PosternAudit

extension OCSFFormat {
    /// The members of a record's class.
    static func members(
        _ record: AuditRecord, _ kind: OCSFClass, from product: ProductName
    ) -> [(name: String, value: JSONValue?)] {
        switch kind.kind {
        case .apiActivity:
            [
                ("actor", actor(record)), ("api", api(record)), ("src_endpoint", endpoint(record)),
                ("resources", resources(record)),
                ("trace", record.traceID.map { .object([("uid", .text($0))]) }),
            ]
        case .applicationLifecycle:
            [
                ("actor", nil), ("app", .object([("name", .text(product.name)), ("version", .text(product.version))])),
            ]
        case .authentication:
            [
                ("user", user(record)), ("service", service), ("src_endpoint", endpoint(record)),
                ("status_detail", JSONValue(record.detail["reason"])),
                ("auth_protocol_id", .number(99)), ("auth_protocol", .text(record.actor.authentication)),
            ]
        case .entityManagement:
            [
                ("actor", actor(record)), ("entity", entity(record, kind)), ("comment", JSONValue(record.reason)),
                ("src_endpoint", record.actor.address == nil ? nil : endpoint(record)),
            ]
        }
    }

    private static let service = JSONValue.object([("name", .text("postern"))])

    private static func api(_ record: AuditRecord) -> JSONValue {
        let failed = record.outcome.flatMap { $0 == "ok" ? nil : $0 }
        return .object([
            ("operation", .text(record.action)), ("service", service),
            ("request", .object([("uid", .text(record.requestID))])),
            ("response", failed.map { .object([("error", .text($0))]) }),
        ])
    }

    private static func actor(_ record: AuditRecord) -> JSONValue {
        let policy = record.rule.map { JSONValue.object([("uid", .text($0))]) }
        return .object([
            ("user", user(record)),
            (
                "authorizations",
                .list([.object([("decision", .text(record.decision.rawValue)), ("policy", policy)])])
            ),
        ])
    }

    /// Who asked; where nobody could tell, what was presented.
    private static func user(_ record: AuditRecord) -> JSONValue {
        let actor = record.actor
        let nobody = actor.principal == nil && actor.credential == nil
        return .object([
            ("name", JSONValue(nobody ? "unknown" : actor.principal)), ("uid", JSONValue(actor.credential)),
        ])
    }

    /// Where it came from. What has no address is the gateway's own doing.
    private static func endpoint(_ record: AuditRecord) -> JSONValue {
        guard let address = record.actor.address else { return .object([("svc_name", .text("postern"))]) }
        return .object([(address.isIPAddress ? "ip" : "hostname", .text(address))])
    }

    private static func resources(_ record: AuditRecord) -> JSONValue? {
        guard let path = record.path else { return nil }
        return .list([
            .object([
                ("type", .text("secret")), ("name", .text(path)), ("uid", .text(path)),
                ("version", JSONValue(record.version.map { String($0) })),
            ])
        ])
    }

    private static func entity(_ record: AuditRecord, _ kind: OCSFClass) -> JSONValue {
        let names = ["domain", "kek", "scope", "origin"].compactMap { record.detail[$0] }
        return .object([
            ("name", .text(record.path ?? names.first ?? kind.entity.type.lowercased())),
            ("type", .text(kind.entity.type)), ("type_id", .number(kind.entity.typeID)),
            ("version", JSONValue(record.detail["new_sha256"] ?? record.detail["key_version"])),
        ])
    }
}
