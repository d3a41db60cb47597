// One authenticated call: what routes take their inputs from.

import HTTPTypes
import Hummingbird
import PosternCoding
import PosternCore
import PosternPolicy
import PosternProtocol

struct AdminCall: Sendable {
    let request: Request
    let context: AdminContext
    let caller: Caller
    let approver: Credential?
    /// The secret's name in the path, not yet checked.
    let name: String?
    let maximumBodyBytes: Int

    /// The secret that the path names.
    func path() throws(SecretError) -> SecretPath {
        try SecretPath(name ?? "")
    }

    /// The query parameters, of which all must be known.
    func query(_ allowed: Set<String> = []) throws(SecretError) -> QueryParameters {
        try QueryParameters(request.uri.query, allowed: allowed)
    }

    /// The body, or nil if there is none.
    func body() async throws -> SecretBytes? {
        try await BodyReader.read(request, context, atMost: maximumBodyBytes)
    }

    /// The request's circumstances for the pipeline. What the body says of reason and ticket goes before headers.
    func circumstances(_ why: Why = Why()) throws(SecretError) -> PosternCore.RequestContext {
        try PosternCore.RequestContext(
            requestID: context.requestID, traceID: TraceParent.traceID(request.headers[.traceparent]),
            reason: why.reason ?? request.headers[.posternReason],
            ticket: why.ticket ?? request.headers[.posternTicket], approver: approver, deadline: context.deadline)
    }

    /// Writes where the audit log has the answer.
    func audit<Value>(_ answer: Audited<Value>, to json: inout AnswerJSON) {
        json.name("audit")
        json.object { json in
            json.member("index", answer.auditIndex)
            json.member("request_id", context.requestID)
        }
    }
}

/// Why somebody does something, as bodies say it.
struct Why {
    var reason: String?
    var ticket: String?

    /// Takes a member, if it is one of these.
    mutating func take(_ name: String, _ json: inout JSONReader) throws(SecretError) -> Bool {
        switch name {
        case "reason": reason = try json.string("The member \"reason\"")
        case "ticket": ticket = try json.string("The member \"ticket\"")
        default: return false
        }
        return true
    }
}

extension SecretError {
    static func unknownMember(_ name: String) -> SecretError {
        SecretError(.invalidArgument, "The body has an unknown member \"\(shown(name))\".")
    }

    static func missingMember(_ name: String, _ hint: String = "") -> SecretError {
        SecretError(.invalidArgument, "The body needs the member \"\(name)\"\(hint).")
    }
}
