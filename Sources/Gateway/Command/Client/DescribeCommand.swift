// `postern describe`: a secret and its versions, without values.

import ArgumentParser
import PosternProtocol
import PosternClient
import PosternWire
import SwiftProtobuf

/// `postern describe`.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Describe a secret and its versions, without values.")

    @Argument(help: "The secret's path.")
    var path: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let response = try await connection.withClient { client in
            var request = Postern_V1_DescribeRequest()
            request.path = path
            request.purpose = connection.purpose
            return try await client.describe(request)
        }
        try output.print(Report(response)) { $0.text }
    }

    private struct Report: Encodable {
        struct Version: Encodable {
            let version: UInt64
            let state: String
            let createdAt: String
            let deletesAt: String?
            let etag: String
        }

        let path: String
        let currentVersion: UInt64
        let createdAt: String
        let updatedAt: String
        let maxVersions: UInt32
        let deleteVersionAfterSeconds: UInt64
        let casRequired: Bool
        let labels: [String: String]
        let versions: [Version]
        let auditIndex: UInt64

        init(_ response: Postern_V1_DescribeResponse) {
            let secret = response.secret
            path = secret.path
            currentVersion = secret.currentVersion
            createdAt = Timestamp(secret.createdAt).description
            updatedAt = Timestamp(secret.updatedAt).description
            maxVersions = secret.maxVersions
            deleteVersionAfterSeconds = secret.deleteVersionAfterSeconds
            casRequired = secret.casRequired
            labels = secret.labels
            versions = secret.versions.map { version in
                Version(
                    version: version.version, state: Self.name(of: version.state),
                    createdAt: Timestamp(version.createdAt).description,
                    deletesAt: version.hasDeletesAt ? Timestamp(version.deletesAt).description : nil,
                    etag: version.etag)
            }
            auditIndex = response.audit.index
        }

        private static func name(of state: Postern_V1_VersionState) -> String {
            switch state {
            case .available: "available"
            case .deleted: "deleted"
            case .destroyed: "destroyed"
            default: "unknown"
            }
        }

        var text: String {
            let kept = maxVersions == 0 ? "\(SecretMetadata.defaultMaxVersions) (default)" : "\(maxVersions)"
            let lifetime = deleteVersionAfterSeconds == 0 ? "never" : "\(deleteVersionAfterSeconds) s after writing"
            var rows = [
                ["path", path], ["current version", "\(currentVersion)"], ["created", createdAt],
                ["updated", updatedAt],
                ["versions kept", kept], ["deleted by itself", lifetime],
                ["compare-and-set", casRequired ? "required" : "optional"],
            ]
            for (name, value) in labels.sorted(by: { $0.key < $1.key }) { rows.append(["label \(name)", value]) }
            let versions = self.versions.map { ["\($0.version)", $0.state, $0.createdAt, $0.deletesAt ?? ""] }
            return columns(rows) + "\n\n" + columns([["version", "state", "created", "deletes"]] + versions)
        }
    }
}

extension Timestamp {
    /// A point in time as the wire has it; one out of range is shown as the nearest there is.
    init(_ wire: Google_Protobuf_Timestamp) {
        let limit = Int64(253_402_300_799)
        let seconds = min(max(wire.seconds, -limit), limit)
        self.init(microseconds: seconds * 1_000_000 + Int64(wire.nanos) / 1_000)
    }
}
