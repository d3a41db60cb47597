// The outermost ring of every request: its id, its deadline, the headers that every answer has, errors as
// problem details, and one line in the access log.

import HTTPTypes
import Hummingbird
import Logging
import PosternCore
import PosternProtocol

struct ExchangeMiddleware: RouterMiddleware {
    let requestIDs: RequestIDs
    let requestTimeout: Duration
    let logger: Logger

    func handle(
        _ request: Request, context: AdminContext, next: @concurrent (Request, AdminContext) async throws -> Response
    ) async -> Response {
        let start = ContinuousClock.now
        var context = context
        context.requestID = requestIDs.next()
        var response: Response
        do {
            context.deadline = Deadline(start.advanced(by: try Self.timeout(request, atMost: requestTimeout)))
            response = try await next(request, context)
        } catch {
            let problem = Problem(thrown: error)
            if problem.error.code == .internalError {
                // The type alone: what an error prints is not ours to vouch for.
                logger.error(
                    "A request failed.",
                    metadata: ["request_id": "\(context.requestID)", "error_type": "\(type(of: error))"])
            }
            response = problem.response(requestID: context.requestID)
        }
        let notes = context.notes.current
        response.headers[.xRequestID] = context.requestID
        for (name, value) in Self.securityHeaders { response.headers[name] = value }
        // Who sends a body that is not read would keep us reading: the connection ends with this answer.
        if request.mayHaveBody && !notes.bodyIsRead { response.headers[.connection] = "close" }

        let milliseconds = ((ContinuousClock.now - start) / .microseconds(1)).rounded() / 1_000
        logger.info(
            "Request answered.",
            metadata: [
                "method": "\(request.method.rawValue)", "route": "\(notes.route)", "status": "\(response.status.code)",
                "duration_ms": "\(milliseconds)", "request_id": "\(context.requestID)",
                "principal": "\(notes.key.map { "admin_key:\($0)" } ?? "none")",
            ])
        return response
    }

    private static let securityHeaders: [(HTTPField.Name, String)] = [
        (.cacheControl, "no-store"),
        (.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
        (.referrerPolicy, "no-referrer"),
        (.strictTransportSecurity, "max-age=31536000"),
        (.xContentTypeOptions, "nosniff"),
    ]

    /// The configured timeout, or the client's if that is shorter.
    private static func timeout(_ request: Request, atMost most: Duration) throws(SecretError) -> Duration {
        guard let text = request.headers[.posternTimeout] else { return most }
        guard let milliseconds = Int(text), (1...86_400_000).contains(milliseconds) else {
            throw SecretError(
                .invalidArgument, "The header X-Postern-Timeout-Ms must be a number of milliseconds from 1.")
        }
        return min(most, .milliseconds(milliseconds))
    }
}

extension Request {
    /// Whether a body may follow the header (RFC 9112 §6).
    var mayHaveBody: Bool {
        headers[.transferEncoding] != nil || (headers[.contentLength].map { $0 != "0" } ?? false)
    }
}

extension HTTPField.Name {
    /// A header's name from a literal of this file. Each is a valid token, which a test holds us to.
    private static func known(_ name: String) -> HTTPField.Name { HTTPField.Name(name) ?? .from }

    static let xRequestID = known("X-Request-Id")
    static let xAdminKey = known("X-Admin-Key")
    static let posternTimeout = known("X-Postern-Timeout-Ms")
    static let posternReason = known("X-Postern-Reason")
    static let posternTicket = known("X-Postern-Ticket")
    static let posternApproverKey = known("X-Postern-Approver-Key")
    static let referrerPolicy = known("Referrer-Policy")
}
