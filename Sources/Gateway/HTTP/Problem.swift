// Refusals and failures as HTTP tells them: problem details (RFC 9457), with the closed set of error codes.

import HTTPTypes
import Hummingbird
import PosternCore
import PosternProtocol

/// A refusal or failure on its way to the client.
struct Problem: Error {
    let error: SecretError
    /// The HTTP status, where it says more than the code's own.
    var status: Int?
    /// Where the audit log has it, if it does.
    var auditIndex: UInt64?
    /// Headers that belong to it.
    var headers = HTTPFields()

    init(_ error: SecretError, status: Int? = nil, auditIndex: UInt64? = nil, headers: HTTPFields = HTTPFields()) {
        self.error = error
        self.status = status
        self.auditIndex = auditIndex
        self.headers = headers
    }

    /// Whatever was thrown. What nobody foresaw is told as `internal`, and nothing of it.
    init(thrown error: any Error) {
        switch error {
        case let problem as Problem:
            self = problem
        case let audited as AuditedError:
            self.init(audited.error, auditIndex: audited.auditIndex)
        case let error as SecretError:
            self.init(error, status: nil)
        case let error as HTTPError where error.status == .notFound:
            self = .unknownRoute
        case is CancellationError:
            self.init(SecretError(.cancelled, "The request was cancelled."))
        default:
            self.init(
                SecretError(.internalError, "The request failed inside the gateway; its log names this request id."))
        }
    }

    static let unknownRoute = Problem(
        SecretError(.notFound, "There is no such route; GET /admin/api/openapi.json describes all of them."))

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        return Problem(
            SecretError(.invalidArgument, "This route does not have that method; it has \(names)."), status: 405,
            headers: [.allow: names])
    }

    static func mediaType(_ message: String) -> Problem {
        Problem(SecretError(.invalidArgument, message), status: 415)
    }

    /// The answer, as `application/problem+json`.
    func response(requestID: String) -> Response {
        let status = self.status ?? error.code.httpStatus
        var json = AnswerJSON()
        json.object { json in
            json.member("type", "urn:postern:error:\(error.code.rawValue)")
            json.member("title", Self.title(of: error.code))
            json.member("status", status)
            json.member("code", error.code.rawValue)
            json.member("detail", error.message)
            json.member("request_id", requestID)
            if let auditIndex { json.member("audit_index", auditIndex) }
            if let version = error.currentVersion { json.member("current_version", version) }
        }
        var headers = self.headers
        headers[.contentType] = "application/problem+json"
        if let seconds = error.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        if status == 401 { headers[.wwwAuthenticate] = "Bearer realm=\"postern\"" }
        return Response(
            status: HTTPResponse.Status(code: status), headers: headers, body: ResponseBody(byteBuffer: json.line))
    }

    /// A short text for each code that never changes with the occurrence (RFC 9457 §3.1.3).
    static func title(of code: SecretError.Code) -> String {
        switch code {
        case .invalidArgument: "The request is not valid"
        case .unauthenticated: "The caller is not known"
        case .permissionDenied: "The caller may not do this"
        case .notFound: "There is no such thing"
        case .versionDeleted: "The version is deleted"
        case .versionDestroyed: "The version is destroyed"
        case .conflict: "Another version is current"
        case .tooLarge: "The request is too large"
        case .rateLimited: "Too many requests"
        case .backendUnavailable: "The store cannot be reached"
        case .backendSealed: "The store is sealed"
        case .keyUnavailable: "The key-encryption key cannot be used"
        case .integrityFailure: "Stored data is damaged"
        case .auditUnavailable: "The audit log cannot be written"
        case .deadlineExceeded: "The deadline passed"
        case .cancelled: "The request was cancelled"
        case .internalError: "The gateway failed"
        }
    }
}
