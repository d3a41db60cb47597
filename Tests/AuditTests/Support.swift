// Directories, records and faults for the audit log's tests.

import Foundation
import PosternAudit
import PosternProtocol
import Synchronization
import Testing

/// A directory of its own for a test, removed at the end.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "postern-audit-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The log's directory in it.
    var log: String { path + "/log" }

    /// The segments' file names, in order.
    func segments() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: log).filter { $0.hasSuffix(".wal") }.sorted()
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: log + "/" + name)))
    }

    /// Changes a file in place, as somebody with access to the disk would.
    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: log + "/" + name))
    }
}

extension AuditLog.Options {
    /// The smallest segments, and quick retries.
    static var small: AuditLog.Options {
        var options = AuditLog.Options(segmentBytes: minimumSegmentBytes, retryInterval: .milliseconds(10))
        options.publicationInterval = .milliseconds(5)
        options.spareRest = .zero
        return options
    }

    /// The same without a published log, whose checkpoint would tell of what is cut off the segments.
    static var segmentsAlone: AuditLog.Options {
        var options = small
        options.isPublished = false
        return options
    }
}

func record(_ requestID: String, reason: String? = nil) -> AuditRecord {
    AuditRecord(
        time: Timestamp(seconds: 1_795_507_200), requestID: requestID,
        actor: AuditRecord.Actor(principal: "gateway", authentication: "mtls", credential: "ab12", address: "10.0.0.1"),
        action: "secret.read", path: "llm/openai/api_key", version: 3, fields: ["value"], decision: .allow,
        rule: "r1", outcome: "ok", reason: reason, servedFrom: "cache", ageMilliseconds: 12)
}

func json(_ record: AuditRecord) -> [UInt8] {
    var bytes: [UInt8] = []
    record.appendCanonicalJSON(to: &bytes)
    return bytes
}

/// All records of a log, by a cursor from the start.
func allEntries(_ directory: String) throws -> [AuditLogReader.Entry] {
    var cursor = AuditLogReader(directory: directory).entries()
    var entries: [AuditLogReader.Entry] = []
    while let entry = try cursor.next() { entries.append(entry) }
    return entries
}

func requestID(_ entry: AuditLogReader.Entry) throws -> String {
    let object = try JSONSerialization.jsonObject(with: Data(entry.json)) as? [String: Any]
    return try #require(object?["request_id"] as? String)
}

/// Counts, from any task.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}

/// Waits until something holds.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(60))
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what)
            return
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// The real files, with faults.
final class FaultyFiles: AuditFiles {
    enum Operation: Sendable { case write, synchronize, reserve, truncate, rename, synchronizeDirectory }
    private let faults = Mutex<[Operation: Int32]>([:])
    private let real = SystemAuditFiles()

    /// Makes an operation fail with an error number, or work again.
    func fail(_ operation: Operation, with number: Int32?) { faults.withLock { $0[operation] = number } }
    func heal() { faults.withLock { $0 = [:] } }

    // Held, as by a disk that takes its time.
    private let isHeld = Mutex(false)
    /// Makes every sync wait, until told otherwise.
    func holdSync(_ hold: Bool) { isHeld.withLock { $0 = hold } }

    private func check(_ operation: Operation, _ path: String) throws(AuditFileError) {
        if let number = faults.withLock({ $0[operation] }) {
            throw AuditFileError("\(operation) (injected)", path, number: number)
        }
    }

    func open(_ path: String, creating mode: UInt32?) throws(AuditFileError) -> Int32 {
        try real.open(path, creating: mode)
    }
    func length(_ file: Int32, _ path: String) throws(AuditFileError) -> Int { try real.length(file, path) }
    func read(_ file: Int32, _ path: String, at offset: Int, count: Int) throws(AuditFileError) -> [UInt8] {
        try real.read(file, path, at: offset, count: count)
    }
    func write(_ bytes: [UInt8], to file: Int32, _ path: String, at offset: Int) throws(AuditFileError) {
        do throws(AuditFileError) {
            try check(.write, path)
        } catch {
            // Half of it gets through before it fails.
            try real.write(Array(bytes.prefix(bytes.count / 2)), to: file, path, at: offset)
            throw error
        }
        try real.write(bytes, to: file, path, at: offset)
    }
    func synchronize(_ file: Int32, _ path: String) throws(AuditFileError) {
        while isHeld.withLock({ $0 }) { usleep(1_000) }
        try check(.synchronize, path)
        try real.synchronize(file, path)
    }
    func reserve(_ file: Int32, _ path: String, bytes: Int) throws(AuditFileError) {
        try check(.reserve, path)
        try real.reserve(file, path, bytes: bytes)
    }
    func truncate(_ file: Int32, _ path: String, to length: Int) throws(AuditFileError) {
        try check(.truncate, path)
        try real.truncate(file, path, to: length)
    }
    func rename(_ path: String, to target: String) throws(AuditFileError) {
        try check(.rename, path)
        try real.rename(path, to: target)
    }
    func synchronizeDirectory(_ path: String) throws(AuditFileError) {
        try check(.synchronizeDirectory, path)
        try real.synchronizeDirectory(path)
    }
    func close(_ file: Int32) { real.close(file) }
}
