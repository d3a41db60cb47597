// Asking policy why.

import Hummingbird
import PosternCoding
import PosternCore
import PosternPolicy
import PosternProtocol

/// The routes of policy.
struct PolicyRoutes: Sendable {
    let gateway: Gateway

    var routes: [Route] {
        [Route("explainPolicy", .post, .fixed("/admin/api/policy:explain"), .keyed(explain))]
    }

    private func explain(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        guard let body = try await call.body() else { throw SecretError.missingBody }
        var principal: String?
        var action: Action?
        var path: SecretPath?
        var why = Why()
        try JSONReader.read(body) { (json, name) throws(SecretError) in
            if try why.take(name, &json) { return }
            let what = "The member \"\(shown(name))\""
            switch name {
            case "principal": principal = try json.string(what)
            case "action":
                guard let known = Action(rawValue: try json.string(what)) else {
                    let actions = Action.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SecretError(.invalidArgument, "\(what) must be one of \(actions).")
                }
                action = known
            case "path": path = try SecretPath(try json.string(what))
            default: throw .unknownMember(name)
            }
        }
        guard let principal else { throw SecretError.missingMember("principal") }
        guard let action else { throw SecretError.missingMember("action") }
        let audited = try await gateway.explainPolicy(
            PrincipalID(principal), action, path, by: call.caller, try call.circumstances(why))
        let explanation = audited.value
        var json = AnswerJSON()
        json.object { json in
            json.member("principal", explanation.principal)
            json.member("action", explanation.action)
            json.member("path", explanation.path)
            json.member("allowed", explanation.allowed)
            json.member("rule", explanation.rule)
            json.name("unmet")
            json.array(explanation.unmet) { $0.value($1) }
            json.name("rules")
            json.array(explanation.rules, Self.write)
            call.audit(audited, to: &json)
        }
        return json.response()
    }

    private static func write(_ json: inout AnswerJSON, _ rule: Explanation.Rule) {
        json.object { json in
            json.member("id", rule.id)
            json.member("effect", rule.effect)
            json.member("line", rule.line)
            json.name("globs")
            json.array(rule.globs) { $0.value($1) }
            json.name("conditions")
            json.array(rule.conditions) { json, condition in
                json.object { json in
                    json.member("condition", condition.condition)
                    json.member("holds", condition.holds)
                    json.member("problem", condition.problem)
                }
            }
            json.member("applies", rule.applies)
            json.member("decided", rule.decided)
        }
    }
}
