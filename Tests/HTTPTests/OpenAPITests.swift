import Envelope
import Foundation
import HTTPTypes
import Hummingbird
import PosternPolicy
import PosternProtocol
import Testing
import Yams

@testable import PosternHTTP

@Suite struct `The OpenAPI document` {
    private static func document() throws -> [String: Any] {
        try #require(try Yams.load(yaml: String(buffer: OpenAPIRoutes.yaml)) as? [String: Any])
    }

    private static func schema(_ name: String, _ document: [String: Any]) throws -> [String: Any] {
        let schemas = (document["components"] as? [String: Any])?["schemas"] as? [String: Any]
        return try #require(schemas?[name] as? [String: Any])
    }

    @Test func `describes every route, and no other`() throws {
        let stack = try Stack()
        let table = try AdminServer.routes(
            gateway: stack.gateway, readiness: stack.readiness, auditDirectory: stack.directory,
            maximumPayloadBytes: 1 << 20, gauges: { [] })
        let routes = Set(table.routes.map { "\($0.method.rawValue) \($0.pattern) \($0.operationID)" })
        var described = Set<String>()
        let paths = try #require(try Self.document()["paths"] as? [String: [String: Any]])
        for (path, item) in paths {
            for (method, operation) in item where method != "parameters" {
                let id = (operation as? [String: Any])?["operationId"] as? String ?? "none"
                described.insert("\(method.uppercased()) \(path) \(id)")
            }
        }
        #expect(described == routes)
        #expect(routes.count == table.routes.count)
    }

    @Test func `the router has every route of the table, and no other`() throws {
        let stack = try Stack()
        let table = try AdminServer.routes(
            gateway: stack.gateway, readiness: stack.readiness, auditDirectory: stack.directory,
            maximumPayloadBytes: 1 << 20, gauges: { [] })
        let router = Router(context: AdminContext.self)
        table.register(
            on: router,
            authenticator: Authenticator(
                keys: stack.configuration.keys,
                limiter: FailureLimiter(limit: 1, maximumAddresses: 1, clock: stack.clock), gateway: stack.gateway),
            limits: stack.configuration)
        let registered = Set(router.routes.map { "\($0.method.rawValue) \($0.path)" })
        let wanted = Set(
            table.routes.map { route in
                if case .secret = route.location { return "\(route.method.rawValue) /admin/api/secrets/**" }
                return "\(route.method.rawValue) \(route.pattern)"
            })
        #expect(registered == wanted)
    }

    @Test func `says who needs a key as the table does`() throws {
        let stack = try Stack()
        let table = try AdminServer.routes(
            gateway: stack.gateway, readiness: stack.readiness, auditDirectory: stack.directory,
            maximumPayloadBytes: 1 << 20, gauges: { [] })
        let paths = try #require(try Self.document()["paths"] as? [String: [String: Any]])
        for route in table.routes {
            let operation = paths[route.pattern]?[route.method.rawValue.lowercased()] as? [String: Any]
            let isOpenInDocument = (operation?["security"] as? [Any])?.isEmpty == true
            if case .open = route.handler { #expect(isOpenInDocument) } else { #expect(!isOpenInDocument) }
        }
    }

    @Test func `names every error code and every action`() throws {
        let document = try Self.document()
        let codes = try Self.schema("ErrorCode", document)["enum"] as? [String]
        #expect(codes == SecretError.Code.allCases.map(\.rawValue))
        let properties = try Self.schema("ExplainRequest", document)["properties"] as? [String: [String: Any]]
        #expect(properties?["action"]?["enum"] as? [String] == Action.allCases.map(\.rawValue))
    }

    @Test func `every reference leads somewhere`() throws {
        let document = try Self.document()
        func check(_ value: Any) {
            if let object = value as? [String: Any] {
                if let reference = object["$ref"] as? String {
                    var place: Any? = document
                    for part in reference.dropFirst(2).split(separator: "/") {
                        place = (place as? [String: Any])?[String(part)]
                    }
                    #expect(place != nil, "\(reference)")
                }
                object.values.forEach(check)
            } else if let list = value as? [Any] {
                list.forEach(check)
            }
        }
        check(document)
    }

    @Test func `is served without a key, the same as JSON and as YAML`() async throws {
        let stack = try Stack()
        let json = try await stack.send(.get, "/admin/api/openapi.json", key: nil)
        let yaml = try await stack.send(.get, "/admin/api/openapi.yaml", key: nil)
        #expect(json.headers[.contentType] == "application/json")
        #expect(yaml.headers[.contentType] == "application/yaml")
        let fromJSON = try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? NSDictionary
        let fromYAML = try Yams.load(yaml: yaml.text) as? NSDictionary
        #expect(fromJSON != nil)
        #expect(fromJSON == fromYAML)
        #expect(json.string("info.version") == "1")
    }

    @Test func `answers have the members that it requires`() async throws {
        let stack = try Stack()
        let document = try Self.document()
        let written = try await stack.put("app/a")
        _ = try await stack.keys.write(
            SecretPath("k/x"), Payload(value: SecretBytes("v")), expecting: nil, deadline: .after(.seconds(300)))
        let answers = [
            ("WrittenVersion", written),
            ("SecretDescription", try await stack.send(.get, "/admin/api/secrets/app/a")),
            ("VersionList", try await stack.send(.get, "/admin/api/secrets/app/a:versions")),
            ("SecretList", try await stack.send(.get, "/admin/api/secrets")),
            ("RevealedSecret", try await stack.send(.post, "/admin/api/secrets/app/a:reveal", #"{"reason":"r"}"#)),
            ("Changed", try await stack.send(.delete, "/admin/api/secrets/app/a")),
            (
                "Explanation",
                try await stack.send(
                    .post, "/admin/api/policy:explain", #"{"principal":"root","action":"read_audit"}"#)
            ),
            ("KeyRegister", try await stack.send(.get, "/admin/api/keys")),
            ("KeyVerification", try await stack.send(.post, "/admin/api/keys:verify")),
            ("KeyDomainAnswer", try await stack.send(.post, "/admin/api/keys:rotate", #"{"domain":"k"}"#)),
            ("KeyJobAnswer", try await stack.send(.post, "/admin/api/keys:rewrap", "{}")),
            ("KeyJobs", try await stack.send(.get, "/admin/api/keys/jobs")),
            ("AuditTail", try await stack.send(.get, "/admin/api/audit/tail")),
            ("Readiness", try await stack.send(.get, "/readyz")), ("Live", try await stack.send(.get, "/healthz")),
        ]
        for (name, answer) in answers {
            let schema = try Self.schema(name, document)
            let properties = (schema["properties"] as? [String: Any] ?? [:]).keys.sorted()
            let object = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any]
            #expect((object ?? [:]).keys.sorted() == properties, "\(name)")
            #expect((schema["required"] as? [String])?.sorted() == properties, "\(name)")
        }
    }
}
