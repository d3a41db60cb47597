// `postern audit`: reads and checks an audit log where it lies.

import ArgumentParser
import Foundation
import PosternAudit
import PosternProtocol

/// `postern audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Read and check an audit log.",
        subcommands: [
            Show.self, Tail.self, Query.self, Verify.self, Prove.self, Check.self, Keys.self, RotateKey.self,
        ])

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

        private func show(_ entry: AuditLogReader.Entry) { AuditLine.show(entry, output) }
    }

    /// `postern audit show`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print records of an audit log, from an index on.",
            discussion: "--output json prints one object a line: the record as it is in the log, and its index.")

        @Argument(help: "The first record's index.")
        var index: UInt64
        @Option(name: [.customShort("n"), .long], help: "How many records.")
        var count = 1
        @OptionGroup var log: DirectoryOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard count > 0 else { throw ValidationError("--count must be 1 or more.") }
        }

        func run() async throws {
            try await reporting {
                var cursor = log.reader.entries(from: index)
                for _ in 0..<count {
                    guard let entry = try cursor.next() else { break }
                    AuditLine.show(entry, output)
                }
            }
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

    /// Prints a record, for people or machines.
    static func show(_ entry: AuditLogReader.Entry, _ output: OutputOptions) {
        switch output.output {
        case .json:
            print("{\"index\":\(entry.index),\"record\":\(String(decoding: entry.json, as: UTF8.self))}")
        case .text:
            print(AuditLine(entry).text)
        }
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
