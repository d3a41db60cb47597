// `postern audit`: reads and checks an audit log where it lies.

import ArgumentParser
import Foundation
import PosternAudit
import PosternProtocol

/// `postern audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Read and check an audit log.", subcommands: [Tail.self, Verify.self])

    /// Which log.
    struct DirectoryOptions: ParsableArguments {
        @Option(name: .long, help: "The audit log's directory.")
        var directory = ".postern/audit"

        var reader: AuditLogReader { AuditLogReader(directory: directory) }
    }

    /// `postern audit tail`.
    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the last records of an audit log, and with --follow those that come.",
            discussion: "--output json prints one object a line: the record as it is in the log, and its index.")

        @Option(name: [.customShort("n"), .long], help: "How many records.")
        var count = 20

        @Flag(name: .shortAndLong, help: "Go on as records come, until interrupted.")
        var follow = false

        @OptionGroup var log: DirectoryOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (0...1_000_000).contains(count) else { throw ValidationError("--count must be 0 to 1000000.") }
        }

        func run() async throws {
            try await reporting {
                let reader = log.reader
                let end = try reader.endIndex()
                var cursor = reader.entries(from: end - min(end, UInt64(count)))
                while true {
                    while let entry = try cursor.next() { show(entry) }
                    guard follow else { return }
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
        }

        private func show(_ entry: AuditLogReader.Entry) {
            switch output.output {
            case .json:
                print("{\"index\":\(entry.index),\"record\":\(String(decoding: entry.json, as: UTF8.self))}")
            case .text:
                print(AuditLine(entry).text)
            }
        }
    }

    /// `postern audit verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check an audit log's framing, indexes and hash chain from the first record to the last.",
            discussion: "Exits with 0 if the log is whole, and 8 naming the first bad place if it is not.")

        @OptionGroup var log: DirectoryOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let summary: AuditLogReader.Summary
            do {
                summary = try log.reader.verify()
            } catch {
                complain(error.description)
                throw error.code == .corrupt ? SecretError.Code.integrityFailure.exitCode : ExitCode(1)
            }
            let report = Report(
                records: summary.records, segments: summary.segments, chain: summary.chain.hexadecimal)
            try output.print(report) { "whole: \($0.records) records in \($0.segments) segments, chain \($0.chain)" }
        }

        private struct Report: Encodable {
            let records: UInt64
            let segments: Int
            let chain: String
        }
    }
}

/// One audit record in one line for people.
struct AuditLine {
    private struct Record: Decodable {
        struct Actor: Decodable {
            let principal: String?
            let authentication: String
            let address: String?
        }

        let time: String
        let actor: Actor
        let action: String
        let path: String?
        let version: Int?
        let decision: String
        let rule: String?
        let phase: String
        let outcome: String?
        let reason: String?
        let served_from: String?
    }

    private let index: UInt64
    private let record: Record?

    init(_ entry: AuditLogReader.Entry) {
        index = entry.index
        record = try? JSONDecoder().decode(Record.self, from: Data(entry.json))
    }

    /// The line.
    var text: String {
        guard let record else { return "\(index)  a record of another format; see --output json" }
        var parts = [
            "\(index)", record.time, record.actor.principal ?? "(\(record.actor.authentication))", record.action,
        ]
        if let path = record.path { parts.append(record.version.map { "\(path)@\($0)" } ?? path) }
        parts.append(record.decision)
        if let outcome = record.outcome { parts.append(outcome) }
        if record.phase == "attempt" { parts.append("attempt") }
        if let rule = record.rule { parts.append("rule=\(rule)") }
        if let servedFrom = record.served_from { parts.append("from=\(servedFrom)") }
        if let reason = record.reason { parts.append("reason=\"\(reason)\"") }
        return parts.joined(separator: "  ")
    }
}
