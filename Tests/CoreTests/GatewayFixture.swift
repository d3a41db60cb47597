// A whole pipeline on a real audit log and a real policy, over a backend that notes what it is asked.

import BackendConformance
import Foundation
import PosternAudit
import PosternCore
import PosternPolicy
import PosternProtocol
import Synchronization

/// The pipeline under test. Its directory is removed when the last holder lets go.
final class GatewayFixture: Sendable {
    static let policy = """
        version: 1
        principals:
          reader: { dns: reader.test }
          writer: { dns: writer.test }
          lister: { dns: lister.test }
          operator: { admin_key: operator }
        rules:
          - { id: reader-reads-a, allow: [read, describe], to: [reader], on: ["a/**"] }
          - { id: reader-never-a-hidden, deny: [all], to: [reader], on: ["a/hidden"] }
          - { id: writer-writes-a, allow: [all], to: [writer], on: ["a/**"] }
          - { id: lister-lists-some, allow: [list], to: [lister], on: ["a/x", "a/deep/**"] }
          - { id: operator-asks, allow: [explain_policy, read_audit], to: [operator] }
          - { id: operator-reads-with-reason, allow: [read], to: [operator], on: ["a/**"], when: { reason: true } }
        """

    let directory: String
    let store: AskedBackend
    let audit: AuditLog
    let policies: PolicyStore
    let gateway: Gateway
    let clock = ManualClock()

    init(
        faults: AuditFaults? = nil, storeCredentials: StoreCredentials = .refused,
        over decorate: (any SecretBackend) -> any SecretBackend = { $0 }
    ) throws {
        directory = NSTemporaryDirectory() + "core-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Self.policy.write(toFile: directory + "/policy.yaml", atomically: true, encoding: .utf8)
        policies = try PolicyStore(file: directory + "/policy.yaml")
        var options = AuditLog.Options(
            segmentBytes: AuditLog.Options.minimumSegmentBytes, retryInterval: .milliseconds(5))
        if let faults { options.files = faults }
        audit = try AuditLog.open(directory: directory + "/audit", options: options)
        store = AskedBackend(InMemoryBackend(clock: clock))
        gateway = Gateway(
            backend: decorate(store), policies: policies, audit: audit, clock: clock, metrics: GatewayMetrics(),
            storeCredentials: storeCredentials)
    }

    deinit {
        audit.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// A caller with a certificate for a DNS name.
    func caller(_ name: String) -> Caller {
        let identity = CertificateIdentity(
            spiffeID: nil, dnsNames: ["\(name).test"], fingerprint: String(repeating: "f", count: 64))
        return Caller(credential: .certificate(identity), address: "127.0.0.1")
    }

    func context(reason: String? = nil, token: String? = nil) throws -> RequestContext {
        try RequestContext(
            requestID: UUID().uuidString, reason: reason, storeCredential: token.map { SecretBytes($0) },
            deadline: .after(.seconds(300)))
    }

    /// The audit records so far, decoded.
    func records() throws -> [[String: Any]] {
        var cursor = AuditLogReader(directory: directory + "/audit").entries()
        var records: [[String: Any]] = []
        while let entry = try cursor.next() {
            let object = try JSONSerialization.jsonObject(with: Data(entry.json))
            records.append(object as? [String: Any] ?? [:])
        }
        return records
    }
}

/// A backend that notes the calls that reach it.
final class AskedBackend: SecretBackend {
    let inner: any SecretBackend
    private let calls = Mutex<[String]>([])
    /// Runs at the start of every call, and may fail it.
    private let gate = Mutex<(@Sendable () async throws(SecretError) -> Void)?>(nil)

    init(_ inner: any SecretBackend) {
        self.inner = inner
    }

    var name: String { inner.name }
    var asked: [String] { calls.withLock { $0 } }

    func onCall(_ body: (@Sendable () async throws(SecretError) -> Void)?) {
        gate.withLock { $0 = body }
    }

    private func note(_ call: String) async throws(SecretError) {
        calls.withLock { $0.append(call) }
        if let body = gate.withLock({ $0 }) { try await body() }
    }

    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        try await note("read \(path)")
        return try await inner.read(path, version: version, deadline: deadline)
    }

    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await note("write \(path)")
        return try await inner.write(path, payload, expecting: expecting, deadline: deadline)
    }

    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await note("delete \(path)")
        try await inner.delete(path, versions: versions, deadline: deadline)
    }

    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await note("undelete \(path)")
        try await inner.undelete(path, versions: versions, deadline: deadline)
    }

    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await note("destroy \(path)")
        try await inner.destroy(path, versions: versions, deadline: deadline)
    }

    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await note("remove \(path)")
        try await inner.remove(path, deadline: deadline)
    }

    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await note("list \(query.prefix)")
        return try await inner.list(query, deadline: deadline)
    }

    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await note("describe \(path)")
        return try await inner.describe(path, deadline: deadline)
    }

    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await note("updateMetadata \(path)")
        return try await inner.updateMetadata(path, change, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth { await inner.health(deadline: deadline) }
}

/// The real files, whose writes can be made to fail.
final class AuditFaults: AuditFiles {
    private let real = SystemAuditFiles()
    private let broken = Mutex(false)

    /// From now on writes fail, or work again.
    func breakWrites(_ isBroken: Bool) {
        broken.withLock { $0 = isBroken }
    }

    func open(_ path: String, creating mode: UInt32?) throws(AuditFileError) -> Int32 {
        try real.open(path, creating: mode)
    }
    func length(_ file: Int32, _ path: String) throws(AuditFileError) -> Int { try real.length(file, path) }
    func read(_ file: Int32, _ path: String, at offset: Int, count: Int) throws(AuditFileError) -> [UInt8] {
        try real.read(file, path, at: offset, count: count)
    }
    func write(_ bytes: [UInt8], to file: Int32, _ path: String, at offset: Int) throws(AuditFileError) {
        if broken.withLock({ $0 }) { throw AuditFileError("write", path, number: 5) }
        try real.write(bytes, to: file, path, at: offset)
    }
    func synchronize(_ file: Int32, _ path: String) throws(AuditFileError) { try real.synchronize(file, path) }
    func reserve(_ file: Int32, _ path: String, bytes: Int) throws(AuditFileError) {
        try real.reserve(file, path, bytes: bytes)
    }
    func truncate(_ file: Int32, _ path: String, to length: Int) throws(AuditFileError) {
        try real.truncate(file, path, to: length)
    }
    func rename(_ path: String, to target: String) throws(AuditFileError) { try real.rename(path, to: target) }
    func synchronizeDirectory(_ path: String) throws(AuditFileError) { try real.synchronizeDirectory(path) }
    func close(_ file: Int32) { real.close(file) }
}
