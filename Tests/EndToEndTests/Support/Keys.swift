// Managing keys of a gateway under test, as an operator does.

import Foundation
import TestPrograms
import Testing

/// The admin key of somebody who can approve what the first asks for.
let secondKey = "second-admin-key-0123456789abcdef"

extension GatewaySettings {
    /// The policy of the other tests, and a second principal that may manage keys.
    static let keyPolicy =
        standardPolicy.replacing(
            "  admin: { admin_key: admin }", with: "  admin: { admin_key: admin }\n  second: { admin_key: second }"
        ).replacing("manage_keys]\n    to: [operator, admin]", with: "manage_keys]\n    to: [operator, admin, second]")
}

extension GatewayUnderTest {
    /// Gives the second principal of ``GatewaySettings/keyPolicy`` an admin key, from the next start on.
    func addSecondKey() async throws {
        let hash = try await mustRun("sha256sum", [], input: Data(secondKey.utf8)).text.prefix(64)
        let configuration = try String(contentsOfFile: file("postern.yaml"), encoding: .utf8)
        try write(
            configuration.replacing(
                "  key_file: pki/server.key\n",
                with: "  key_file: pki/server.key\n  keys:\n    - { name: second, sha256: \(hash) }\n"),
            to: "postern.yaml")
    }

    /// Runs `postern keys …`.
    func keys(_ arguments: [String], key: String? = nil) async throws -> Finished {
        try await run(
            try Places.postern(), ["keys"] + arguments,
            environment: [
                "POSTERN_CLIENT_ADMIN_ADDRESS": adminAddress, "POSTERN_CLIENT_CA": pki.file("ca.pem"),
                "ADMIN_KEY": key ?? adminKey,
            ], in: directory)
    }

    /// Runs `postern keys …`, which must succeed.
    @discardableResult
    func keysJSON(_ arguments: [String]) async throws -> JSON {
        let done = try await keys(arguments + ["--output", "json"])
        try #require(done.code == 0, "keys \(arguments): \(done.errors)")
        return try JSON(parsing: done.output)
    }

    /// The newest job on keys.
    func newestJob() async throws -> JSON? {
        try await admin("GET", "/admin/api/keys/jobs").json()["jobs"]?.elements.first
    }

    /// Stores a secret through the admin API.
    func put(_ path: String, _ value: String) async throws {
        let answer = try await admin("POST", "/admin/api/secrets", json: #"{"name":"\#(path)","value":"\#(value)"}"#)
        try #require(answer.status == 201, "\(answer.text)")
    }

    /// A secret's value through the admin API; nil if it is not answered.
    func reveal(_ path: String) async throws -> String? {
        let answer = try await admin("POST", "/admin/api/secrets/\(path):reveal", json: #"{"reason":"test"}"#)
        return try answer.json()["fields"]?["value"]?.text
    }
}
