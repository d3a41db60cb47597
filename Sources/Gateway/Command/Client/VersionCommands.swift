// `postern delete`, `undelete`, `destroy` and `remove`: what ends a version's life, or brings it back.

import ArgumentParser
import PosternClient
import PosternWire

/// The audit index of a change, as the commands print it.
private struct ChangeReport: Encodable {
    let path: String
    let done: String
    let auditIndex: UInt64
    let requestId: String

    init(_ path: String, _ done: String, _ audit: Postern_V1_Audit) {
        self.path = path
        self.done = done
        auditIndex = audit.index
        requestId = audit.requestID
    }

    var text: String { "\(path): \(done)" }
}

/// `postern delete`.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Soft-delete versions of a secret; undelete brings them back.")

    @Argument(help: "The secret's path.")
    var path: String

    @Option(name: .long, parsing: .upToNextOption, help: "The versions; the current one if left out.")
    var versions: [UInt64] = []

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_DeleteRequest()
            request.path = path
            request.versions = versions
            request.purpose = connection.purpose
            return try await client.delete(request)
        }
        try output.print(ChangeReport(path, "deleted", response.audit)) { $0.text }
    }
}

/// `postern undelete`.
struct UndeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undelete", abstract: "Make soft-deleted versions of a secret readable again.")

    @Argument(help: "The secret's path.")
    var path: String

    @Option(name: .long, parsing: .upToNextOption, help: "The versions, at least one.")
    var versions: [UInt64]

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_UndeleteRequest()
            request.path = path
            request.versions = versions
            request.purpose = connection.purpose
            return try await client.undelete(request)
        }
        try output.print(ChangeReport(path, "undeleted", response.audit)) { $0.text }
    }
}

/// `postern destroy`.
struct DestroyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "Remove the data of versions for good. There is no way back.")

    @Argument(help: "The secret's path.")
    var path: String

    @Option(name: .long, parsing: .upToNextOption, help: "The versions, at least one.")
    var versions: [UInt64]

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_DestroyRequest()
            request.path = path
            request.versions = versions
            request.purpose = connection.purpose
            return try await client.destroy(request)
        }
        try output.print(ChangeReport(path, "destroyed", response.audit)) { $0.text }
    }
}

/// `postern remove`.
struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a secret with all its versions. There is no way back.")

    @Argument(help: "The secret's path.")
    var path: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_RemoveRequest()
            request.path = path
            request.purpose = connection.purpose
            return try await client.remove(request)
        }
        try output.print(ChangeReport(path, "removed", response.audit)) { $0.text }
    }
}
