// A server in development mode: in memory, unsealed, with a known root token.

import Foundation
import TestPrograms

/// A development server.
public final class DevServer: Sendable {
    /// The API with the root token.
    public let api: VaultAPI
    /// The process.
    public let process: VaultProcess
    private let folder: URL

    private static let first = Task { try await DevServer() }

    /// One that the tests of this process share: each makes mounts of its own.
    public static var shared: DevServer { get async throws { try await first.value } }

    /// Starts one, and waits until it is ready.
    public init() async throws {
        folder = try makeTemporaryDirectory("vault")
        let port = try freePort()
        process = try VaultProcess(
            [
                "server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token",
                "-dev-listen-address=127.0.0.1:\(port)",
            ],
            log: folder.appending(path: "log"))
        api = VaultAPI(address: "http://127.0.0.1:\(port)", token: "root")
        try await api.eventuallyMust("GET", "sys/health")
    }

    deinit {
        process.stop()
        try? FileManager.default.removeItem(at: folder)
    }
}
