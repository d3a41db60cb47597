// All that a backend says about some secrets, to compare a state with another.

import PosternProtocol

/// The observable state of some secrets.
struct Snapshot: Equatable, CustomStringConvertible {
    /// What is known about one secret: nil if there is none.
    private struct Secret: Equatable {
        let description: SecretDescription
        /// What reading each version answers: its payload, or why not.
        let reads: [Int: Read]
    }

    private enum Read: Equatable {
        case payload(Payload, labels: [String: String])
        case refused(SecretError.Code)
    }

    private var secrets: [String: Secret] = [:]

    init(of paths: [String], in subject: Subject) async throws {
        for path in paths {
            do {
                let description = try await subject.describe(path)
                var reads: [Int: Read] = [:]
                for version in description.versions {
                    reads[version.number] = try await Self.read(path, version, in: subject)
                }
                secrets[path] = Secret(description: description, reads: reads)
            } catch let error as SecretError where error.code == .notFound {
                continue
            }
        }
    }

    /// Reads a version and checks that the answer fits its description.
    private static func read(_ path: String, _ version: VersionInfo, in subject: Subject) async throws -> Read {
        do {
            let read = try await subject.read(path, version.number)
            try expectEqual(read.info, version, "\(path): the version read, and the one described")
            return .payload(read.payload, labels: read.labels)
        } catch let error as SecretError {
            let fits =
                switch version.state {
                case .available: false
                case .deleted: error.code == .versionDeleted
                case .destroyed: error.code == .versionDestroyed
                }
            try expect(fits, "\(path): version \(version.number) is \(version.state), but reading it threw \(error)")
            return .refused(error.code)
        }
    }

    var description: String {
        secrets.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
    }
}
