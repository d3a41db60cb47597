// `postern get`: reads a secret.

import ArgumentParser
import Foundation
import PosternProtocol
import PosternClient
import PosternWire

/// `postern get`.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Read a secret.",
        discussion: """
            Prints the field "value", or the field named by --field, and a newline when standard output is a \
            terminal; --output json prints everything, with values that are not UTF-8 in base64.
            """)

    @Argument(help: "The secret's path, as in llm/openai/api_key.")
    var path: String

    @Option(name: .long, help: "A version's number; the current one if left out.")
    var version: UInt64?

    @Option(name: .long, help: "The field to print.")
    var field = Payload.valueField

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_GetRequest()
            request.path = path
            request.version = version ?? 0
            request.purpose = connection.purpose
            return try await client.get(request)
        }
        if output.output == .json {
            try output.print(SecretReport(response)) { _ in "" }
            return
        }
        guard let found = response.fields.first(where: { $0.name == field }) else {
            let names = response.fields.map(\.name).joined(separator: ", ")
            complain("\(path) has no field \"\(field)\"; it has: \(names). Choose one with --field.")
            throw SecretError.Code.notFound.exitCode
        }
        FileHandle.standardOutput.write(found.value)
        if isatty(STDOUT_FILENO) == 1 { print() }
        if response.servedFrom == .stale {
            complain("served from the cache, \(response.ageMs / 1_000) s old: the backend cannot be reached")
        }
    }
}

/// A secret as `postern get --output json` prints it.
struct SecretReport: Encodable {
    struct Field: Encodable {
        let name: String
        let value: String?
        let valueBase64: String?
    }

    let path: String
    let version: UInt64
    let etag: String
    let createdAt: String
    let fields: [Field]
    let labels: [String: String]
    let servedFrom: String
    let ageMs: UInt64
    let auditIndex: UInt64
    let requestId: String

    init(_ response: Postern_V1_GetResponse) {
        path = response.path
        version = response.version
        etag = response.etag
        createdAt = Timestamp(response.createdAt).description
        fields = response.fields.map { field in
            let text = String(validating: field.value, as: UTF8.self)
            return Field(
                name: field.name, value: text, valueBase64: text == nil ? field.value.base64EncodedString() : nil)
        }
        labels = response.labels
        servedFrom =
            switch response.servedFrom {
            case .backend: "backend"
            case .cache: "cache"
            case .stale: "stale"
            default: "unknown"
            }
        ageMs = response.ageMs
        auditIndex = response.audit.index
        requestId = response.audit.requestID
    }
}
