// Serves the OpenAPI document. It is written by hand as `openapi.yaml` beside this file, and the compiler puts it
// into the program.

import Hummingbird
import NIOCore
import PosternProtocol
import Yams

/// The routes of the OpenAPI document.
struct OpenAPIRoutes: Sendable {
    /// The document as YAML.
    static let yaml = ByteBuffer(bytes: PackageResources.openapi_yaml)

    /// The document as JSON.
    private let json: ByteBuffer

    init() throws {
        guard let root = try Yams.compose(yaml: String(buffer: Self.yaml)) else {
            throw SecretError(.internalError, "The OpenAPI document is empty.")
        }
        var json = AnswerJSON()
        Self.write(root, to: &json)
        self.json = json.line
    }

    var routes: [Route] {
        [
            Route(
                "openapiJSON", .get, .fixed("/admin/api/openapi.json"),
                .open { [json] _, _ in
                    Self.document(json, "application/json")
                }),
            Route(
                "openapiYAML", .get, .fixed("/admin/api/openapi.yaml"),
                .open { _, _ in
                    Self.document(Self.yaml, "application/yaml")
                }),
        ]
    }

    private static func document(_ bytes: ByteBuffer, _ type: String) -> Response {
        Response(status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: bytes))
    }

    private static func write(_ node: Node, to json: inout AnswerJSON) {
        switch node {
        case .mapping(let mapping):
            json.object { json in
                for (key, value) in mapping {
                    json.name(key.string ?? "")
                    write(value, to: &json)
                }
            }
        case .sequence(let sequence):
            json.array(sequence) { write($1, to: &$0) }
        case .scalar(let scalar) where scalar.style != .plain:
            json.value(scalar.string)
        default:
            if let number = node.int {
                json.value(number)
            } else if let truth = node.bool {
                json.value(truth)
            } else {
                json.value(node.string ?? "")
            }
        }
    }
}
