// All routes, in one table: it registers them with Hummingbird, finds the one that a request means, and is what
// the OpenAPI document is compared with.

import HTTPTypes
import Hummingbird
import PosternProtocol

/// One route.
struct Route: Sendable {
    /// Where a route is.
    enum Location: Sendable, Equatable {
        /// At a fixed path.
        case fixed(String)
        /// At a secret's path, with a verb after a colon or without.
        case secret(verb: String?)
    }

    /// Who may call, and what happens then.
    enum Handler: Sendable {
        /// Anybody.
        case open(@Sendable (Request, AdminContext) async throws -> Response)
        /// Who presents an admin key; policy says what that is good for.
        case keyed(@Sendable (AdminCall) async throws -> Response)
    }

    /// The operation's id in the OpenAPI document.
    let operationID: String
    let method: HTTPRequest.Method
    let location: Location
    let handler: Handler

    init(_ operationID: String, _ method: HTTPRequest.Method, _ location: Location, _ handler: Handler) {
        self.operationID = operationID
        self.method = method
        self.location = location
        self.handler = handler
    }

    /// The path as the OpenAPI document and the access log write it.
    var pattern: String {
        switch location {
        case .fixed(let path): path
        case .secret(let verb): RouteTable.secretsPath + "/{name}" + (verb.map { ":\($0)" } ?? "")
        }
    }
}

/// All routes.
struct RouteTable: Sendable {
    static let secretsPath = "/admin/api/secrets"

    let routes: [Route]

    /// What a request's path means: a place, and the secret's name there if it is a secret's.
    private func resolve(_ path: String) throws(SecretError) -> (location: Route.Location, name: String?) {
        let prefix = Self.secretsPath + "/"
        guard path.hasPrefix(prefix), path != prefix else { return (.fixed(path), nil) }
        let target = try PercentDecoding.decode(path.dropFirst(prefix.count), what: "The path")
        // No name has a colon, so what follows the last one is a verb.
        guard let colon = target.lastIndex(of: ":") else { return (.secret(verb: nil), target) }
        return (.secret(verb: String(target[target.index(after: colon)...])), String(target[..<colon]))
    }

    /// Registers every route.
    func register(on router: Router<AdminContext>, authenticator: Authenticator, limits: AdminConfiguration) {
        var seen: Set<String> = []
        for route in routes {
            let path: RouterPath =
                switch route.location {
                case .fixed(let path): RouterPath(path)
                case .secret: RouterPath(Self.secretsPath + "/**")
                }
            // Routes at a secret's path differ by their verbs, which Hummingbird does not see.
            guard seen.insert("\(route.method) \(path)").inserted else { continue }
            router.on(path, method: route.method) { request, context in
                try await respond(request, context, authenticator, limits)
            }
        }
    }

    private func respond(
        _ request: Request, _ context: AdminContext, _ authenticator: Authenticator, _ limits: AdminConfiguration
    ) async throws -> Response {
        let (location, name) = try resolve(request.uri.path)
        guard let route = routes.first(where: { $0.location == location && $0.method == request.method }) else {
            throw problem(for: location)
        }
        context.notes.note { $0.route = route.pattern }
        switch route.handler {
        case .open(let respond):
            return try await respond(request, context)
        case .keyed(let respond):
            let (caller, approver) = try await authenticator.authenticate(request, context)
            return try await respond(
                AdminCall(
                    request: request, context: context, caller: caller, approver: approver, name: name,
                    maximumBodyBytes: limits.maximumBodyBytes))
        }
    }

    /// What to say to a request for which there is no route: that there is no such place, or no such method.
    private func problem(for location: Route.Location) -> Problem {
        let methods = routes.filter { $0.location == location }.map(\.method)
        return methods.isEmpty ? .unknownRoute : .methodNotAllowed(methods)
    }

    /// The same for a path of which Hummingbird knows no such method.
    func problem(forPath path: String) -> Problem {
        do throws(SecretError) {
            return problem(for: try resolve(path).location)
        } catch {
            return Problem(error)
        }
    }
}

/// Says of a path without a handler whether it is the method or the path that is wrong.
struct UnknownRouteMiddleware: RouterMiddleware {
    let table: RouteTable

    func handle(
        _ request: Request, context: AdminContext, next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            throw table.problem(forPath: request.uri.path)
        }
    }
}
