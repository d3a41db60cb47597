// A Redis of a test's own: Debian's redis-server, in memory, on a free port.

import Foundation
import TestPrograms

/// A running Redis.
final class RedisServer: Sendable {
    let port: Int
    let tlsPort: Int
    let password: String?
    private let process: LiveProcess

    /// Starts one and waits until it answers.
    /// - Parameter tls: certificate and key of its TLS port, besides the plain one; nil for none.
    init(in folder: URL, password: String? = nil, tls: (certificate: String, key: String)? = nil) async throws {
        let (port, tlsPort) = (try freePort(), try freePort())
        (self.port, self.tlsPort) = (port, tlsPort)
        let encryption =
            tls.map {
                "tls-port \(tlsPort)\ntls-cert-file \($0.certificate)\ntls-key-file \($0.key)\ntls-auth-clients no\n"
                    + "tls-ca-cert-file \($0.certificate)\n"
            } ?? ""
        self.password = password
        let login = password.map { "requirepass \($0)\n" } ?? ""
        let text = "port \(port)\nbind 127.0.0.1\nsave \"\"\nappendonly no\n\(login)\(encryption)"
        try text.write(to: folder.appending(path: "redis.conf"), atomically: true, encoding: .utf8)
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
