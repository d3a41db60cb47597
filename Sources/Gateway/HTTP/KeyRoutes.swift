// Managing keys: the register, checks, rotation, jobs, destruction.

import Hummingbird
import PosternCoding
import PosternCore
import PosternProtocol

/// The routes of keys.
struct KeyRoutes: Sendable {
    static let path = "/admin/api/keys"

    let gateway: Gateway

    var routes: [Route] {
        [
            Route("listKeys", .get, .fixed(Self.path), .keyed(register)),
            Route("listKeyJobs", .get, .fixed(Self.path + "/jobs"), .keyed(jobs)),
            Route("verifyKeys", .post, .fixed(Self.path + ":verify"), .keyed(verify)),
            Route("rotateKey", .post, .fixed(Self.path + ":rotate"), .keyed(rotate)),
            Route("rewrapKeys", .post, .fixed(Self.path + ":rewrap"), .keyed { try await start(.rewrap, $0) }),
            Route(
                "reencryptSecrets", .post, .fixed(Self.path + ":reencrypt"), .keyed { try await start(.reencrypt, $0) }),
            Route(
                "findKeyReferences", .post, .fixed(Self.path + ":references"),
                .keyed { try await start(.references, $0) }),
            Route("retireKey", .post, .fixed(Self.path + ":retire"), .keyed(retire)),
            Route("requestKeyDestruction", .post, .fixed(Self.path + ":destroy"), .keyed(requestDestruction)),
            Route("approveKeyDestruction", .post, .fixed(Self.path + ":approve-destroy"), .keyed(approveDestruction)),
        ]
    }

    private func register(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let audited = try await gateway.keyRegister(by: call.caller, try call.circumstances())
        var json = AnswerJSON()
        json.object { json in
            json.name("domains")
            json.array(audited.value.domains, Self.write)
            json.name("keks")
            json.array(audited.value.keks, Self.write)
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    private func jobs(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let audited = try await gateway.keyJobs(by: call.caller, try call.circumstances())
        var json = AnswerJSON()
        json.object { json in
            json.name("jobs")
            json.array(audited.value, Self.write)
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    private func verify(_ call: AdminCall) async throws -> Response {
        let body = try await KeyRequest(call, allowed: ["domain"])
        let audited = try await gateway.verifyKeys(
            domain: body.domain, by: call.caller, try call.circumstances(body.why))
        let report = audited.value
        var json = AnswerJSON()
        json.object { json in
            json.member("good", report.isGood)
            json.member("verified_at", report.verifiedAt.description)
            json.member("domains", report.domains)
            json.name("keks")
            json.array(report.keks) { json, result in
                json.object { json in
                    json.member("kek", result.kek)
                    json.member("ok", result.ok)
                    json.member("opened", result.opened)
                    json.member("failed", result.failed)
                    json.member("missing", result.missing)
                    json.member("problem", result.problem)
                }
            }
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    private func rotate(_ call: AdminCall) async throws -> Response {
        let body = try await KeyRequest(call, allowed: ["domain", "dry_run"])
        return Self.answer(
            call,
            try await gateway.rotateKey(
                of: try body.neededDomain, dryRun: body.order.dryRun, by: call.caller,
                try call.circumstances(body.why)))
    }

    private func start(_ kind: KeyJobOrder.Kind, _ call: AdminCall) async throws -> Response {
        let allowed: Set<String> =
            switch kind {
            case .rewrap: ["domain", "dry_run", "drop_unconfigured", "rate"]
            case .reencrypt: ["prefix", "dry_run", "destroy_old", "rate"]
            case .references: ["domain", "rate"]
            }
        let body = try await KeyRequest(call, allowed: allowed)
        var order = body.order
        order.kind = kind
        order.scope = body.domain
        let audited = try await gateway.startKeyJob(order, by: call.caller, try call.circumstances(body.why))
        var json = AnswerJSON()
        json.object { json in
            json.name("job")
            Self.write(&json, audited.value)
            call.audit(audited, to: &json)
        }
        return json.response(status: .accepted)
    }

    private func retire(_ call: AdminCall) async throws -> Response {
        let body = try await KeyRequest(call, allowed: ["domain", "version"])
        guard let version = body.version else { throw SecretError.missingMember("version") }
        return Self.answer(
            call,
            try await gateway.retireKey(
                of: try body.neededDomain, version: version, by: call.caller, try call.circumstances(body.why)))
    }

    private func requestDestruction(_ call: AdminCall) async throws -> Response {
        let body = try await KeyRequest(call, allowed: ["domain", "confirmation"])
        guard let confirmation = body.confirmation else {
            throw SecretError.missingMember("confirmation", ": the domain's name once more")
        }
        return Self.answer(
            call,
            try await gateway.requestKeyDestruction(
                of: try body.neededDomain, confirmation: confirmation, by: call.caller,
                try call.circumstances(body.why)))
    }

    private func approveDestruction(_ call: AdminCall) async throws -> Response {
        let body = try await KeyRequest(call, allowed: ["domain"])
        return Self.answer(
            call,
            try await gateway.approveKeyDestruction(
                of: try body.neededDomain, by: call.caller, try call.circumstances(body.why)))
    }

    private static func answer(_ call: AdminCall, _ audited: Audited<KeyRegister.Domain>) -> Response {
        var json = AnswerJSON()
        json.object { json in
            json.name("domain")
            write(&json, audited.value)
            call.audit(audited, to: &json)
        }
        return json.response()
    }
}

/// The body of a request about keys; it may be absent where nothing in it is needed.
private struct KeyRequest {
    var order = KeyJobOrder(.rewrap)
    var domain: String?
    var version: Int?
    var confirmation: String?
    var why = Why()

    init(_ call: AdminCall, allowed: Set<String>) async throws {
        _ = try call.query()
        guard let body = try await call.body() else { return }
        var found = KeyRequest()
        try JSONReader.read(body) { (json, name) throws(SecretError) in
            if try found.why.take(name, &json) { return }
            guard allowed.contains(name) else { throw .unknownMember(name) }
            let what = "The member \"\(name)\""
            switch name {
            case "domain", "prefix": found.domain = try json.string(what)
            case "dry_run": found.order.dryRun = try json.boolean(what)
            case "destroy_old": found.order.destroyOld = try json.boolean(what)
            case "drop_unconfigured": found.order.dropUnconfigured = try json.boolean(what)
            case "rate": found.order.rate = try json.integer(what)
            case "version": found.version = try json.integer(what)
            case "confirmation": found.confirmation = try json.string(what)
            default: throw .unknownMember(name)
            }
        }
        self = found
    }

    private init() {}

    var neededDomain: String {
        get throws(SecretError) {
            guard let domain else { throw .missingMember("domain") }
            return domain
        }
    }
}
