// Published logs for tests: made, looked at, tampered with.

import Foundation
import PosternAudit
import PosternProtocol
import Testing
import TransparencyLog

extension TemporaryDirectory {
    var published: String { log + "/log" }

    /// Appends records, several at a time.
    @discardableResult
    func fill(
        _ count: Int, prefix: String = "r", reason: String? = nil, options: AuditLog.Options = .small
    ) async throws -> AuditLog.Publication {
        let log = try AuditLog.open(directory: log, options: options)
        defer { log.close() }
        var left = count
        while left > 0 {
            let some = min(left, 50)
            _ = try await log.append(
                contentsOf: (0..<some).map { record("\(prefix)-\(count - left + $0)", reason: reason) })
            left -= some
        }
        log.close()
        return log.publication
    }

    func checkpoint() throws -> Checkpoint {
        try Checkpoint(text: try SignedNote(parsing: read("log/checkpoint")).text)
    }

    func verifierKey() throws -> VerifierKey {
        try VerifierKey(String(decoding: try read("log/keys/first.vkey"), as: UTF8.self).dropLast())
    }

    func verify(_ change: (inout LogVerifier) -> Void = { _ in }) throws -> LogVerifier.Report {
        var verifier = LogVerifier(directory: log)
        change(&verifier)
        return try verifier.verify()
    }

    /// What is wrong with the log.
    func problem(
        _ change: (inout LogVerifier) -> Void = { _ in }, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> LogProblem {
        try #require(
            #expect(throws: LogProblem.self, sourceLocation: sourceLocation) { try verify(change) },
            sourceLocation: sourceLocation)
    }

    /// Changes a file and puts it back.
    @discardableResult
    func with<Value>(_ name: String, changed: ([UInt8]) -> [UInt8]?, _ body: () throws -> Value) throws -> Value {
        let bytes = try read(name)
        if let new = changed(bytes) {
            try write(name, new)
        } else {
            try FileManager.default.removeItem(atPath: log + "/" + name)
        }
        defer { #expect(throws: Never.self) { try write(name, bytes) } }
        return try body()
    }

    /// All files of the published log, by path.
    func publishedFiles() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: published).filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: published + "/" + $0, isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }.sorted()
    }
}

/// The root of records, from the definition.
func root(of entries: [AuditLogReader.Entry]) -> MerkleHash {
    var range = CompactRange()
    for entry in entries { range.append(.leaf(entry.json)) }
    return range.root
}
