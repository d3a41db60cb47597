// Looking at secrets: lists and descriptions, which show no values, and reveal, which does.

import Hummingbird
import PosternCoding
import PosternCore
import PosternProtocol

extension SecretRoutes {
    /// `GET /admin/api/secrets`
    func list(_ call: AdminCall) async throws -> Response {
        let query = try call.query(["prefix", "recursive", "limit", "after"])
        let question = try ListQuery(
            prefix: try PathPrefix(query.text("prefix") ?? ""), recursive: try query.flag("recursive"),
            after: query.text("after"), limit: try query.integer("limit") ?? 100)
        let audited = try await gateway.list(question, by: call.caller, try call.circumstances())
        var json = AnswerJSON()
        json.object { json in
            json.name("entries")
            json.array(audited.value.entries) { json, entry in
                json.object { json in
                    json.member("key", entry.key)
                    if case .folder = entry { json.member("folder", true) } else { json.member("folder", false) }
                }
            }
            json.member("next", audited.value.next)
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    /// `GET /admin/api/secrets/{name}`
    func describe(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let audited = try await gateway.describe(try call.path(), by: call.caller, try call.circumstances())
        return Self.answer(call, audited)
    }

    /// `GET /admin/api/secrets/{name}:versions`
    func versions(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let audited = try await gateway.describe(try call.path(), by: call.caller, try call.circumstances())
        var json = AnswerJSON()
        json.object { json in
            json.member("name", audited.value.path.text)
            json.member("current_version", audited.value.currentVersion)
            Self.write(audited.value.versions, to: &json)
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    /// `POST /admin/api/secrets/{name}:reveal`. The only way to see a value, and never without saying why.
    func reveal(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let path = try call.path()
        var version: Int?
        var why = Why()
        if let body = try await call.body() {
            try JSONReader.read(body) { (json, name) throws(SecretError) in
                if try why.take(name, &json) { return }
                guard name == "version" else { throw .unknownMember(name) }
                version = try json.integer("The member \"version\"")
            }
        }
        let circumstances = try call.circumstances(why)
        guard let reason = circumstances.reason, reason.contains(where: { !$0.isWhitespace }) else {
            throw SecretError.missingMember("reason", " (or the header X-Postern-Reason): why the value is looked at")
        }
        let audited = try await gateway.read(path, version: version, by: call.caller, circumstances)
        let secret = audited.value
        var json = AnswerJSON()
        json.object { json in
            json.member("name", secret.path.text)
            json.member("version", secret.info.number)
            json.member("etag", secret.info.etag.text)
            json.member("created_at", secret.info.createdAt.description)
            json.name("fields")
            json.object { json in
                for field in secret.payload.fields {
                    json.name(field.name)
                    json.value(field.value)
                }
            }
            json.member("labels", secret.labels)
            json.member("served_from", secret.freshness.servedFrom)
            json.member("age_ms", Int(secret.freshness.age / .milliseconds(1)))
            call.audit(audited, to: &json)
        }
        return json.response()
    }
}
