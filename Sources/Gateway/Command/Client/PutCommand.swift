// `postern put`: writes a secret. The value comes from a file or from standard input; an argument would be seen
// by everybody who lists processes, and kept in the shell's history.

import ArgumentParser
import Foundation
import PosternProtocol
import PosternClient
import PosternWire

/// `postern put`.
struct PutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Write a new version of a secret.",
        discussion: """
            Reads the value from standard input to its end, or from --file. One final newline is dropped unless \
            --keep-newline is given. Several fields: --field-file user=user.txt --field-file password=password.txt.
            """)

    @Argument(help: "The secret's path, as in llm/openai/api_key.")
    var path: String

    @Option(name: .long, help: "Read the value from this file instead of standard input.")
    var file: String?

    @Option(name: .long, help: "A field and the file to read it from, NAME=FILE; repeat for several.")
    var fieldFile: [String] = []

    @Option(name: .long, help: "The value itself. Others on this machine can see it: for trying things out only.")
    var insecureValue: String?

    @Flag(name: .long, help: "Keep a final newline of the value.")
    var keepNewline = false

    @Option(name: .long, help: "Write only if this is the current version; 0 for \"must not exist\".")
    var expect: UInt64?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        let sources = [file != nil, !fieldFile.isEmpty, insecureValue != nil].count { $0 }
        guard sources <= 1 else {
            throw ValidationError("Give one of --file, --field-file and --insecure-value.")
        }
    }

    func run() async throws {
        let fields = try await reporting { try readFields() }
        let response = try await connection.withClient { client in
            var request = Postern_V1_PutRequest()
            request.path = path
            request.fields = fields
            if let expect { request.expectedVersion = expect }
            request.purpose = connection.purpose
            return try await client.put(request)
        }
        let report = Report(
            path: path, version: response.version.version, etag: response.version.etag,
            createdAt: Timestamp(response.version.createdAt).description, auditIndex: response.audit.index,
            requestId: response.audit.requestID)
        try output.print(report) { "\($0.path): wrote version \($0.version)" }
    }

    private struct Report: Encodable {
        let path: String
        let version: UInt64
        let etag: String
        let createdAt: String
        let auditIndex: UInt64
        let requestId: String
    }

    private func readFields() throws -> [Postern_V1_Field] {
        if let insecureValue { return [field(Payload.valueField, Data(insecureValue.utf8))] }
        if let file { return [field(Payload.valueField, trimmed(try contents(of: file)))] }
        guard fieldFile.isEmpty else {
            return try fieldFile.map { pair in
                guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                    throw SecretError(.invalidArgument, "--field-file takes NAME=FILE.")
                }
                let file = String(pair[pair.index(after: equals)...])
                return field(String(pair[..<equals]), trimmed(try contents(of: file)))
            }
        }
        if isatty(STDIN_FILENO) == 1 { complain("type the value, then Ctrl-D") }
        return [field(Payload.valueField, trimmed(try FileHandle.standardInput.readToEnd() ?? Data()))]
    }

    private func contents(of file: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(filePath: file))
        } catch {
            throw SecretError(.invalidArgument, "The file \(file) cannot be read.")
        }
    }

    private func trimmed(_ data: Data) -> Data {
        keepNewline || data.last != UInt8(ascii: "\n") ? data : data.dropLast()
    }

    private func field(_ name: String, _ value: Data) -> Postern_V1_Field {
        var field = Postern_V1_Field()
        field.name = name
        field.value = value
        return field
    }
}
