// What the tests of logging in and of Transit share.

import Foundation
import Logging
import NIOCore
import NIOPosix
import PosternProtocol
import Synchronization
import TestPrograms
import Testing
import VaultServers

@testable import Vault

/// Late enough for a machine that runs much else.
var soon: Deadline { .after(.seconds(300)) }

/// Keeps what is logged.
final class RecordingLog: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    var text: String { lines.withLock { $0.joined(separator: "\n") } }
    var logger: Logger { Logger(label: "test") { _ in self } }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
}

/// Somewhere to write credentials to.
final class Folder: Sendable {
    let url: URL

    init() throws {
        url = try makeTemporaryDirectory("auth")
    }

    func path(_ name: String) -> String { url.appending(path: name).path }

    /// Writes a file in one step, as agents do.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

extension TokenTiming {
    /// Renews two seconds into an hour, with much of the lease left for a machine that takes its time.
    static let early = TokenTiming(renewal: 1 / 1_800)
    /// Leaves tokens to end by themselves.
    static let never = TokenTiming(renewal: 1_000)
}

extension VaultSession {
    /// A session at a server.
    convenience init(
        _ api: VaultAPI, _ authentication: VaultAuthentication, timing: TokenTiming = TokenTiming(),
        log: RecordingLog = RecordingLog()
    ) throws {
        var options = VaultOptions(addresses: [try VaultAddress(api.address)])
        options.tls.authorities = api.authority
        options.namespace = api.namespace
        try self.init(options, authentication, timing: timing, log: log)
    }

    /// A session with options.
    convenience init(
        _ options: VaultOptions, _ authentication: VaultAuthentication, timing: TokenTiming = TokenTiming(),
        log: RecordingLog = RecordingLog()
    ) throws {
        try self.init(
            options, try authentication.method(options), timing: timing, group: MultiThreadedEventLoopGroup.singleton,
            logger: log.logger)
    }

    /// Asks with the gateway's own token.
    func get(_ path: String) async throws -> VaultAnswer {
        do {
            return try await client.send(.get(path), deadline: soon)
        } catch {
            throw error.error
        }
    }

    /// What Vault says the gateway's own token is.
    func ownToken() async throws -> [String: Any] {
        let answer = try await get("auth/token/lookup-self")
        #expect(answer.status == 200)
        return try VaultAPI.Answer(status: answer.status, body: Data(answer.body.readableBytesView)).value("data")
    }
}

/// Runs a test's body with a session, which is closed whatever happens.
func withSession(_ session: VaultSession, _ body: (VaultSession) async throws -> Void) async throws {
    do {
        try await body(session)
    } catch {
        await session.close()
        throw error
    }
    await session.close()
}

/// Expects an error of a code, whose message says something.
@discardableResult
func expectError(
    _ code: SecretError.Code, containing texts: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> some Any
) async -> SecretError? {
    let error = await #expect(throws: SecretError.self, sourceLocation: sourceLocation) { _ = try await body() }
    #expect(error?.code == code, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    for text in texts {
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }
    return error
}

extension VaultProcess {
    /// Stops it in its tracks, and waits until each of its threads stands still.
    func freeze() async throws {
        signal(SIGSTOP)
        try await eventually("the server stands still") {
            let tasks = URL(filePath: "/proc/\(pid)/task")
            return try FileManager.default.contentsOfDirectory(at: tasks, includingPropertiesForKeys: nil)
                .allSatisfy { task in
                    // The state comes after the name, which is in parentheses.
                    let stat = try String(contentsOf: task.appending(path: "stat"), encoding: .utf8)
                    return stat.contains(") T ")
                }
        }
    }
}

extension SecretBytes {
    var string: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}

/// An AppRole mount of a test's own, with one role.
struct AppRole {
    let api: VaultAPI
    let mount: String
    let role = "gateway"
    let roleID: String

    /// Enables the method and makes a role.
    /// - Parameter settings: members of the role, as JSON without the braces.
    init(_ api: VaultAPI, settings: String = #""token_ttl":"1h""#) async throws {
        self.api = api
        mount = "approle-\(UUID().uuidString.lowercased())"
        try await api.must("POST", "sys/auth/\(mount)", #"{"type":"approle"}"#)
        try await api.must("POST", "auth/\(mount)/role/\(role)", "{\(settings)}")
        roleID = try await api.must("GET", "auth/\(mount)/role/\(role)/role-id").value("data", "role_id")
    }

    /// Makes a secret ID.
    func secretID(_ settings: String = #""num_uses":1000000"#) async throws -> String {
        try await api.must("POST", "auth/\(mount)/role/\(role)/secret-id", "{\(settings)}").value("data", "secret_id")
    }

    /// How many logins a secret ID made with a million uses has seen.
    func logins(_ secretID: String) async throws -> Int {
        let left: Int = try await api.must(
            "POST", "auth/\(mount)/role/\(role)/secret-id/lookup", #"{"secret_id":"\#(secretID)"}"#
        ).value("data", "secret_id_num_uses")
        return 1_000_000 - left
    }

    /// How to log in with a secret ID.
    func authentication(_ secretID: String) -> VaultAuthentication {
        .appRole(
            roleID: .value(SecretBytes(roleID)), secretID: .plain(.value(SecretBytes(secretID))), mount: mount)
    }

    /// Makes a response-wrapped secret ID.
    /// - Returns: the wrapping token.
    func wrappedSecretID() async throws -> String {
        return try await api.wrapping("POST", "auth/\(mount)/role/\(role)/secret-id")
    }
}

extension VaultAPI {
    /// Makes a request whose answer Vault wraps.
    /// - Returns: the wrapping token.
    func wrapping(_ method: String, _ path: String, _ body: String = "{}") async throws -> String {
        let result = try await mustRun(
            "curl",
            [
                "--silent", "--show-error", "--max-time", "60", "--request", method, "--data-binary", "@-", "--header",
                "X-Vault-Token: \(token)", "--header", "X-Vault-Wrap-TTL: 10m", "\(address)/v1/\(path)",
            ] + (namespace.map { ["--header", "X-Vault-Namespace: \($0)"] } ?? []), input: Data(body.utf8))
        return try Answer(status: 200, body: result.output).value("wrap_info", "token")
    }
}
