// A Redis of a test's own: Debian's redis-server, in memory, on a free port.

import Foundation
import TestPrograms

/// A running Redis.
final class RedisServer: Sendable {
    let port: Int
    let password: String?
    private let process: LiveProcess

    /// Starts one and waits until it answers.
    init(in folder: URL, password: String? = nil) async throws {
        port = try freePort()
        self.password = password
        try "port \(port)\nbind 127.0.0.1\nsave \"\"\nappendonly no\n\(password.map { "requirepass \($0)\n" } ?? "")"
            .write(to: folder.appending(path: "redis.conf"), atomically: true, encoding: .utf8)
        process = try LiveProcess(
            "redis-server", [folder.appending(path: "redis.conf").path], environment: [:], in: folder,
            errorFile: folder.appending(path: "redis.log"))
        try await process.wait(toSay: "Ready to accept connections")
    }

    /// Runs a command of redis-cli.
    @discardableResult
    func command(_ words: [String], input: Data = Data()) async throws -> String {
        try await mustRun(
            "redis-cli", ["-p", "\(port)", "--no-raw"] + words, input: input,
            environment: password.map { ["REDISCLI_AUTH": $0] } ?? [:]
        ).text
    }

    func stop() async {
        _ = try? await {
            process.signal(SIGKILL); return try await process.ending()
        }()
    }
}
