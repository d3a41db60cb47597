// A whole gateway in memory and a temporary directory, with the admin API in front, for tests to call.

import BackendConformance
import Envelope
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import LocalKey
import Logging
import NIOCore
import NIOSSL
import PosternAudit
import PosternCore
import PosternProtocol
import Synchronization
import Testing

@testable import PosternHTTP

/// What the server said.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let text: String

    init(_ response: TestResponse) {
        status = response.status.code
        headers = response.headers
        text = String(buffer: response.body)
    }

    /// A member of the JSON answer, by its path, as in `audit.index`.
    subscript(_ path: String) -> Any? {
        var value: Any? = try? JSONSerialization.jsonObject(with: Data(text.utf8))
        for name in path.split(separator: ".") { value = (value as? [String: Any])?[String(name)] }
        return value is NSNull ? nil : value
    }

    func string(_ path: String) -> String? { self[path] as? String }
    func int(_ path: String) -> Int? { self[path] as? Int }
    /// A list of objects.
    func list(_ path: String) -> [[String: Any]] { self[path] as? [[String: Any]] ?? [] }
}

/// Keeps log lines, with everything that is in them.
final class LogCapture: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    var text: String { all.joined(separator: "\n") }

    func logger() -> Logger {
        var logger = Logger(label: "test") { _ in Handler(capture: self) }
        logger.logLevel = .trace
        return logger
    }

    struct Handler: LogHandler {
        let capture: LogCapture
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            let shown = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            let line = "\(event.level) \(event.message) \(shown)"
            capture.lines.withLock { $0.append(line) }
        }
    }
}

/// A gateway with its admin API.
final class Stack: Sendable {
    static let adminKey = "admin-key-0123456789abcdef"
    static let readerKey = "reader-key-0123456789abcdef"
    static let strangerKey = "stranger-key-0123456789abcdef"

    static let policy = """
        version: 1
        principals:
          root: { admin_key: admin }
          reader: { admin_key: reader }
        rules:
          - { id: root-all, allow: [all], to: [root], on: ["**"] }
          - { id: reader-app, allow: [read, describe, list], to: [reader], on: ["app/**"] }
          - { id: reader-two, allow: [destroy], to: [reader], on: ["app/**"], when: { second_approver: true } }
        """

    let directory: String
    let clock = ManualClock()
    let backend: InMemoryBackend
    /// What manages keys. Its store is its own: secrets of these tests are not encrypted.
    let keys: EnvelopeBackend
    let audit: AuditLog
    let gateway: Gateway
    let readiness: Readiness
    let logs = LogCapture()
    let configuration: AdminConfiguration
    let server: AdminServer

    init(
        _ configure: (inout AdminConfiguration) -> Void = { _ in },
        tls: @escaping @Sendable () -> NIOSSLContext = { TestCertificate.shared.context },
        onListening: @escaping @Sendable (AdminServer.Address) async -> Void = { _ in }
    ) throws {
        directory = NSTemporaryDirectory() + "postern-http-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let policyFile = directory + "/policy.yaml"
        try Self.policy.write(toFile: policyFile, atomically: true, encoding: .utf8)
        var random = SystemRandomNumberGenerator()
        backend = InMemoryBackend(clock: clock)
        audit = try AuditLog.open(
            directory: directory + "/audit", options: AuditLog.Options(segmentBytes: 256 << 10))
        keys = try EnvelopeBackend(
            store: InMemoryBackend(clock: clock),
            keyWrappers: [try LocalFileKeyWrapper(path: directory + "/kek", createIfMissing: true)], clock: clock)
        gateway = Gateway(
            backend: backend, policies: try PolicyStore(file: policyFile), audit: audit, clock: clock,
            metrics: GatewayMetrics(), keys: keys)
        readiness = Readiness(backend: backend, audit: audit)
        var configuration = AdminConfiguration(
            port: 0,
            keys: try AdminKeys([
                .init(name: "admin", key: SecretBytes(Self.adminKey)),
                .init(name: "reader", key: SecretBytes(Self.readerKey)),
                .init(name: "stranger", key: SecretBytes(Self.strangerKey)),
            ]))
        configure(&configuration)
        self.configuration = configuration
        server = try AdminServer(
            configuration: configuration, gateway: gateway, readiness: readiness,
            auditDirectory: directory + "/audit", requestIDs: RequestIDs(clock: clock, using: &random), clock: clock,
            tls: tls, logger: logs.logger(), onListening: onListening)
    }

    deinit {
        audit.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Sends a request to the router, as `admin` unless said otherwise.
    func send(
        _ method: HTTPRequest.Method, _ uri: String, _ body: String? = nil, key: String? = Stack.adminKey,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        try await send(method, uri, bytes: body.map { Array($0.utf8) }, key: key, headers: headers)
    }

    func send(
        _ method: HTTPRequest.Method, _ uri: String, bytes: [UInt8]?, key: String? = Stack.adminKey,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        var headers = headers
        if let key { headers[.authorization] = "Bearer \(key)" }
        if bytes != nil && headers[.contentType] == nil { headers[.contentType] = "application/json" }
        let sent = headers
        return try await server.application.test(.router) { client in
            Answer(
                try await client.execute(
                    uri: uri, method: method, headers: sent, body: bytes.map { ByteBuffer(bytes: $0) }))
        }
    }

    /// Stores a secret.
    @discardableResult
    func put(_ name: String, _ value: String = "s3cr3t-value") async throws -> Answer {
        let answer = try await send(.post, "/admin/api/secrets", #"{"name":"\#(name)","value":"\#(value)"}"#)
        #expect(answer.status == 201, "\(answer.text)")
        return answer
    }

    /// All audit records, by index.
    func records() throws -> [[String: Any]] {
        try AuditLogReader(directory: directory + "/audit").last(10_000).map { entry in
            try #require(JSONSerialization.jsonObject(with: Data(entry.json)) as? [String: Any])
        }
    }

    /// The record that an answer points to.
    func record(of answer: Answer) throws -> [String: Any] {
        let index = try #require(answer.int("audit.index") ?? answer.int("audit_index"), "\(answer.text)")
        let records = try records()
        return try #require(records.indices.contains(index) ? records[index] : nil)
    }
}

/// A self-signed certificate for `localhost`, made once by OpenSSL.
struct TestCertificate: Sendable {
    static let shared = TestCertificate(name: "first")
    static let other = TestCertificate(name: "second")

    let context: NIOSSLContext

    init(name: String) {
        do {
            let directory = NSTemporaryDirectory() + "postern-http-tls-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let (key, certificate) = (directory + "/key.pem", directory + "/cert.pem")
            _ = try run(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                    certificate,
                ])
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            configuration.applicationProtocols = ["http/1.1"]
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            fatalError("the test certificate cannot be made: \(error)")
        }
    }
}

/// Runs a program on a thread of its own: the server under test needs those of the tasks.
func tool(_ program: String, _ arguments: [String], input: String = "") async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try run(program, arguments, input: input) }) }.start()
    }
}

/// Runs a program with what it is to read, and returns what it wrote.
func run(_ program: String, _ arguments: [String], input: String = "") throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let (stdin, stdout) = (Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = FileHandle.nullDevice
    try process.run()
    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    let output = stdout.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
}
