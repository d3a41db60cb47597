// One server process: OpenBao's `bao`, or the HashiCorp Vault that VAULT_BIN names. It ends with the test process.

public import Foundation
import TestPrograms

/// A `bao server` or `vault server`.
public final class VaultProcess: Sendable {
    private let server: ServerProcess

    /// Its process id.
    public var pid: Int32 { server.pid }
    /// What it logged.
    public var log: URL { server.log }

    /// The program: VAULT_BIN, else `bao` in the virtual environment.
    public static func binary() throws -> String {
        let given = ProcessInfo.processInfo.environment["VAULT_BIN"]
        let candidates = [given, Places.package.path + "/.venv/bin/bao"].compactMap { $0 }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw HarnessError(description: "None of \(candidates) is there; let make fill .venv, or set VAULT_BIN.")
        }
        return found
    }

    /// Whether the server is HashiCorp's, which cannot page lists.
    public static var isHashiCorp: Bool { ProcessInfo.processInfo.environment["VAULT_BIN"] != nil }

    /// Starts it.
    public init(_ arguments: [String], log: URL) throws {
        let environment = ProcessInfo.processInfo.environment.filter { name, _ in
            !["POSTERN_", "VAULT_", "BAO_", "ADMIN_KEY"].contains { name.hasPrefix($0) }
        }
        server = try ServerProcess(try Self.binary(), arguments, environment: environment, log: log)
    }

    /// Sends a signal.
    public func signal(_ number: Int32) { server.signal(number) }

    /// Kills it, and waits until it is gone.
    public func stop() { server.stop() }
}
