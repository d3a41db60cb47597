import Foundation
import PosternConfiguration
import PosternProtocol

/// A directory with configuration files that is removed when the test is over.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let name = "postern-configuration-" + UUID().uuidString
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ content: String) throws -> String {
        let file = path + "/postern.yaml"
        try content.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}

/// The least that a configuration must say.
let required = [
    "POSTERN_GRPC_CERTIFICATE": "s.pem", "POSTERN_GRPC_KEY": "s.key", "POSTERN_GRPC_CLIENT_CA": "ca.pem",
    "POSTERN_ADMIN_CERTIFICATE": "s.pem", "POSTERN_ADMIN_KEY_FILE": "s.key", "ADMIN_KEY": "letmein-canary",
    "POSTERN_POLICY_FILE": "policy.yaml", "POSTERN_AUDIT_DIRECTORY": "audit",
]

/// Loads YAML text with the required settings in the environment.
func load(
    yaml: String? = nil, environment: [String: String] = [:], overrides: [String] = []
) throws -> GatewayConfiguration {
    let directory = try TemporaryDirectory()
    let file = try yaml.map { try directory.file($0) }
    return try GatewayConfiguration.load(
        file: file, environment: required.merging(environment) { _, new in new }, overrides: overrides)
}

/// The problems of a configuration, without the folder's name.
func problems(yaml: String? = nil, environment: [String: String] = [:], overrides: [String] = []) throws -> [String] {
    let directory = try TemporaryDirectory()
    let file = try yaml.map { try directory.file($0) }
    do throws(ConfigurationProblems) {
        _ = try GatewayConfiguration.load(
            file: file, environment: required.merging(environment) { _, new in new }, overrides: overrides)
        return []
    } catch {
        return error.description.replacing(directory.path + "/", with: "").split(separator: "\n").map(String.init)
    }
}

extension SecretBytes {
    var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
