// What pages from elsewhere may do through somebody's browser: nothing, unless their origin is on the list.
// (The Fetch standard's CORS protocol, with exact origins and never with credentials.)

import HTTPTypes
import Hummingbird
import PosternProtocol

struct CrossOriginMiddleware: RouterMiddleware {
    let allowedOrigins: Set<String>

    func handle(
        _ request: Request, context: AdminContext, next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else { return try await next(request, context) }
        let isAllowed = allowedOrigins.contains(origin)
        let isPreflight = request.method == .options && request.headers[.accessControlRequestMethod] != nil
        let isSafe = request.method == .get || request.method == .head
        // The gateway's own page also sends its origin.
        let isOwn = origin == request.head.authority.map { "https://\($0)" }
        guard isAllowed || (!isPreflight && (isSafe || isOwn)) else {
            throw Problem(
                SecretError(
                    .permissionDenied, "Pages of this origin may not call the admin API; see its list of origins."),
                headers: [.vary: "Origin"])
        }
        var response: Response
        if isPreflight {
            context.notes.note { $0.route = "preflight" }
            response = Response(status: .noContent, headers: Self.preflightHeaders)
        } else {
            do {
                response = try await next(request, context)
            } catch {
                // A page that may call must also be able to read why it failed.
                response = Problem(thrown: error).response(requestID: context.requestID)
            }
        }
        response.headers[.vary] = "Origin"
        if isAllowed {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.accessControlExposeHeaders] = "X-Request-Id, Retry-After, Location"
        }
        return response
    }

    private static let preflightHeaders: HTTPFields = [
        .accessControlAllowMethods: "GET, POST, PATCH, DELETE",
        .accessControlAllowHeaders: "Authorization, Content-Type, X-Admin-Key, X-Postern-Approver-Key, "
            + "X-Postern-Reason, X-Postern-Ticket, X-Postern-Timeout-Ms, traceparent",
        .accessControlMaxAge: "600",
    ]
}
