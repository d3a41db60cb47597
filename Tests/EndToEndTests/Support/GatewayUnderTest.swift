// A gateway of a test's own: its directory, certificates and policy, and the real binary serving them.

import Foundation
import PosternAudit
import Synchronization
import TestPrograms

/// How to set up a gateway.
struct GatewaySettings: Sendable {
    /// Configuration values, KEY=VALUE.
    var overrides: [String] = []
    var policy = GatewaySettings.standardPolicy
    /// Where the audit log goes, if not into the gateway's directory.
    var auditDirectory: String?
    /// Runs the gateway with no limit on core files, so that only it can forbid them.
    var allowsCores = false
    /// Environment variables besides the admin key.
    var environment: [String: String] = [:]

    /// The front ends of a configuration, on free ports, with the certificates of ``TestPKI``.
    static let frontEnds = """
        grpc:
          listen: 127.0.0.1:0
          certificate: pki/server.pem
          key: pki/server.key
          client_ca: pki/ca.pem
        admin:
          listen: 127.0.0.1:0
          certificate: pki/server.pem
          key_file: pki/server.key
        """

    /// `gateway` reads below llm/, `billing` below billing/, `operator` and the admin key do everything.
    static let standardPolicy = """
        version: 1
        principals:
          gateway: { spiffe: "spiffe://test.postern/gateway" }
          billing: { spiffe: "spiffe://test.postern/billing" }
          operator: { spiffe: "spiffe://test.postern/operator" }
          admin: { admin_key: admin }
        rules:
          - id: gateway-reads-llm
            allow: [read, list, describe]
            to: [gateway]
            on: ["llm/**"]
          - id: billing-reads-its-own
            allow: [read, list, describe]
            to: [billing]
            on: ["billing/**"]
          - id: people-manage-everything
            allow: [all]
            to: [operator, admin]
            on: ["**"]
          - id: people-look
            allow: [explain_policy, read_audit, manage_keys]
            to: [operator, admin]

        """
}

/// Sets up a gateway, starts it, lends it, ends it and removes its directory.
func withGateway<Value>(
    _ settings: GatewaySettings = GatewaySettings(), _ body: (GatewayUnderTest) async throws -> Value
) async throws -> Value {
    try await withGateway(started: try GatewayUnderTest(settings), body)
}

/// The same for a gateway that is set up already.
func withGateway<Value>(
    started gateway: GatewayUnderTest, _ body: (GatewayUnderTest) async throws -> Value
) async throws -> Value {
    await Turnstile.gateways.enter()
    let result: Result<Value, any Error>
    do {
        try await gateway.start()
        result = .success(try await body(gateway))
    } catch {
        print("The gateway's log ended so:\n\(gateway.log.suffix(4_000))")
        result = .failure(error)
    }
    await gateway.remove()
    await Turnstile.gateways.leave()
    return try result.get()
}

/// A gateway, running or not.
final class GatewayUnderTest: Sendable {
    let directory: URL
    let pki: TestPKI
    let adminKey = UUID().uuidString
    let auditDirectory: String
    private let settings: GatewaySettings
    private let process = Mutex<LiveProcess?>(nil)

    init(_ settings: GatewaySettings) throws {
        self.settings = settings
        directory = try makeTemporaryDirectory("gateway")
        pki = try TestPKI(directory.appending(path: "pki"), clients: ["gateway", "billing", "operator"])
        auditDirectory = settings.auditDirectory ?? directory.appending(path: "audit").path
        try write(settings.policy, to: "policy.yaml")
        try write("Authorization: Bearer \(adminKey)\n", to: "admin.header")
        try write(
            """
            \(GatewaySettings.frontEnds)
            backend:
              kind: sqlite
              sqlite:
                path: secrets.sqlite
            envelope:
              key_file: kek
            policy:
              file: policy.yaml
            audit:
              directory: \(auditDirectory)

            """, to: "postern.yaml")
    }

    func file(_ name: String) -> String { directory.appending(path: name).path }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
    }

    // MARK: - Its process

    /// Starts it and waits until it serves.
    func start() async throws {
        let postern = try Places.postern()
        let arguments = ["serve", "--config", file("postern.yaml")] + settings.overrides.flatMap { ["--set", $0] }
        let environment = settings.environment.merging(["ADMIN_KEY": adminKey]) { $1 }
        let log = directory.appending(path: "log")
        let new =
            if settings.allowsCores {
                try LiveProcess(
                    "bash", ["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", postern] + arguments,
                    environment: environment, in: directory, errorFile: log)
            } else {
                try LiveProcess(postern, arguments, environment: environment, in: directory, errorFile: log)
            }
        process.withLock { $0 = new }
        try await new.wait(toSay: "ready grpc=")
        try await new.wait(toSay: "\n")
    }

    private var current: LiveProcess? { process.withLock { $0 } }
    var pid: Int32 { current?.pid ?? -1 }
    var isRunning: Bool { current?.isRunning ?? false }
    /// What it printed on standard output.
    var output: String { current?.output ?? "" }
    /// What it and those before it in this directory wrote on standard error.
    var log: String { (try? String(contentsOfFile: file("log"), encoding: .utf8)) ?? "" }

    var grpcAddress: String { address("grpc=") }
    var adminAddress: String { address("admin=") }

    private func address(_ label: String) -> String {
        let words = output.split(whereSeparator: \.isWhitespace)
        return words.first { $0.hasPrefix(label) }.map { String($0.dropFirst(label.count)) } ?? "127.0.0.1:1"
    }

    func signal(_ number: Int32) { current?.signal(number) }

    /// Waits for its end after a signal.
    func end(by signal: Int32, within limit: Duration = .seconds(60)) async throws -> (code: Int32, wasSignalled: Bool)
    {
        guard let current else { throw HarnessError(description: "The gateway was not started.") }
        current.signal(signal)
        return try await current.ending(within: limit)
    }

    func remove() async {
        _ = try? await end(by: SIGKILL)
        try? FileManager.default.removeItem(at: directory)
    }

    // MARK: - Its command line and audit log

    /// Runs `postern` as a client of this gateway.
    func command(
        _ arguments: [String], as client: String, input: Data = Data(), environment: [String: String] = [:]
    ) async throws -> Finished {
        let own = [
            "POSTERN_CLIENT_ADDRESS": grpcAddress, "POSTERN_CLIENT_CERTIFICATE": pki.file("\(client).pem"),
            "POSTERN_CLIENT_KEY": pki.file("\(client).key"), "POSTERN_CLIENT_CA": pki.file("ca.pem"),
        ]
        return try await run(
            try Places.postern(), arguments, input: input, environment: environment.merging(own) { $1 }, in: directory)
    }

    /// Runs a case of a Python script against this gateway; it must succeed.
    func python(_ script: String, _ arguments: [String]) async throws -> Finished {
        try await mustRun(try Places.python(), pythonArguments(script, arguments))
    }

    func pythonArguments(_ script: String, _ arguments: [String]) -> [String] {
        ["-B", Places.scripts.appending(path: script).path, grpcAddress, pki.directory.path] + arguments
    }

    /// The records of its audit log.
    func auditRecords() throws -> [AuditEntry] {
        var cursor = AuditLogReader(directory: auditDirectory).entries()
        var entries: [AuditEntry] = []
        while let entry = try cursor.next() {
            entries.append(AuditEntry(index: entry.index, record: try JSON(parsing: Data(entry.json))))
        }
        return entries
    }
}

/// A record of the audit log.
struct AuditEntry: Sendable {
    let index: UInt64
    let record: JSON

    var action: String? { record["action"]?.text }
    var path: String? { record["path"]?.text }
    var outcome: String? { record["outcome"]?.text }
    var decision: String? { record["decision"]?.text }
    var version: Int? { record["version"]?.number }
    var principal: String? { record["actor"]?["principal"]?.text }
}

/// Lets few in at a time: this machine should not run a gateway for every test at once.
actor Turnstile {
    /// The gateways of all tests.
    static let gateways = Turnstile(3)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
