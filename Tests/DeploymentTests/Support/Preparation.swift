// A run of init-vault.sh, and the environment that it prints.

import Foundation
import TestPrograms
import VaultServers

/// How init-vault.sh ended, and what it said.
struct Preparation: Sendable {
    let finished: Finished
    /// What evaluating its output puts into the environment.
    let exports: [String: String]

    var code: Int32 { finished.code }
    /// Its progress and complaints.
    var errors: String { finished.errors }

    static var script: String { Places.package.appending(path: "init-vault.sh").path }

    /// Runs it to its end.
    static func run(_ arguments: [String], environment: [String: String]) async throws -> Preparation {
        let finished = try await TestPrograms.run(script, arguments, environment: environment)
        return Preparation(finished: finished, exports: try await evaluate(finished.text))
    }

    /// What a shell makes of the lines, which must be nothing but exports.
    private static func evaluate(_ lines: String) async throws -> [String: String] {
        let other = lines.split(separator: "\n").filter { !$0.hasPrefix("export ") }
        guard other.isEmpty else { throw HarnessError(description: "These are no export lines: \(other)") }
        let result = try await mustRun(
            "bash", ["-c", #"set -eu; eval "$(cat)"; env --null"#], input: Data(lines.utf8))
        var exports: [String: String] = [:]
        for entry in result.text.split(separator: "\0") {
            let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, lines.contains("export \(parts[0])=") else { continue }
            exports[parts[0]] = parts[1]
        }
        return exports
    }

    /// Fails the test unless it succeeded.
    @discardableResult
    func mustSucceed() throws -> Preparation {
        guard code == 0 else { throw HarnessError(description: "init-vault.sh: \(finished.summary)") }
        return self
    }

    /// What it says it changed.
    var changes: [String] {
        errors.split(separator: "\n").map(String.init).filter { line in
            ["made", "wrote", "enabled", "issued", "initialised", "unsealed"].contains { line.hasPrefix($0 + " ") }
        }
    }
}

extension StackServer {
    /// Logs in as Postern would, with what the exports say.
    func login(_ exports: [String: String]) async throws -> VaultAPI {
        func value(_ name: String) throws -> String {
            if let file = exports["\(name)_FILE"] {
                return try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
            }
            guard let value = exports[name] else { throw HarnessError(description: "No \(name) in \(exports)") }
            return value
        }
        guard exports["POSTERN_BACKEND_VAULT_AUTH_METHOD"] == "approle" else {
            return api(try exports["VAULT_TOKEN"] ?? value("POSTERN_BACKEND_VAULT_TOKEN"))
        }
        let credentials = try JSONEncoder().encode([
            "role_id": try value("POSTERN_BACKEND_VAULT_AUTH_ROLE_ID"),
            "secret_id": try value("POSTERN_BACKEND_VAULT_AUTH_SECRET_ID"),
        ])
        let mount = exports["POSTERN_BACKEND_VAULT_AUTH_MOUNT"] ?? "approle"
        var anonymous = api("")
        anonymous.namespace = exports["VAULT_NAMESPACE"]
        let answer = try await anonymous.must(
            "POST", "auth/\(mount)/login", String(decoding: credentials, as: UTF8.self))
        anonymous.token = try answer.value("auth", "client_token")
        return anonymous
    }
}
