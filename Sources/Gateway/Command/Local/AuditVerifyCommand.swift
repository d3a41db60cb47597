// `postern audit verify`, `prove`, `check`, `keys`: what auditors run, and what they hand to others.

import ArgumentParser
import Foundation
import PosternAudit
import PosternProtocol
import TransparencyLog

extension AuditCommand {
    /// Which keys are trusted.
    struct KeyOptions: ParsableArguments {
        @Option(
            name: .customLong("key"),
            help: """
                A verifier key (name+id+key) to trust, or a file with one a line; can be repeated. Without it the first key \
                beside the log is taken on its word.
                """)
        var texts: [String] = []

        func keys() throws -> [VerifierKey] {
            try texts.flatMap { text in
                let isFile = FileManager.default.fileExists(atPath: text)
                let lines = isFile ? try String(contentsOfFile: text, encoding: .utf8) : text
                return try lines.split(separator: "\n").map { line in
                    do throws(TransparencyLogError) {
                        return try VerifierKey(line)
                    } catch {
                        throw ValidationError("--key \(text): \(error.message).")
                    }
                }
            }
        }
    }

    /// `postern audit verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a log from its records to the signed root, and against checkpoints kept from before.",
            discussion: """
                The directory is an audit directory, also of a running gateway, or the published log by itself. Exits \
                with 0 if all is whole, 8 naming the first record that is not, 1 if the log cannot be read.
                """)

        @Argument(help: "The directory.")
        var path: String?
        @Option(help: "Read records from this index on; hashes are checked of all.")
        var from: UInt64 = 0
        @Option(help: "Read records before this index only.")
        var to: UInt64 = .max
        @Option(
            name: .customLong("checkpoint"),
            help: "A checkpoint that was kept from before; the log must continue it. Can be repeated.")
        var checkpoints: [String] = []
        @OptionGroup var log: DirectoryOptions
        @OptionGroup var trusted: KeyOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard from < to else { throw ValidationError("--from must be less than --to.") }
        }

        func run() async throws {
            try await reporting {
                var verifier = LogVerifier(directory: path ?? log.directory)
                verifier.keys = try trusted.keys()
                verifier.range = from..<to
                verifier.workers = ProcessInfo.processInfo.activeProcessorCount
                verifier.kept = try checkpoints.map {
                    LogVerifier.Kept(name: $0, bytes: Array(try Data(contentsOf: URL(fileURLWithPath: $0))))
                }
                let report = try naming { try verifier.verify() }
                try output.print(Whole(report)) { $0.text }
            }
        }
    }

    /// `postern audit prove`.
    struct Prove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a record's receipt (C2SP tlog-proof), which anybody can check without the log.")

        @Argument(help: "The record's index.")
        var index: UInt64
        @OptionGroup var log: DirectoryOptions

        func run() async throws {
            try await reporting {
                let receipt = try naming { try LogProver(directory: log.directory).receipt(for: index) }
                FileHandle.standardOutput.write(Data(receipt.bytes))
            }
        }
    }

    /// `postern audit check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a record's receipt, and print the record.",
            discussion: "Needs only the receipt and a --key; without one, the key beside the log in --directory.")

        @Argument(help: "The receipt's file.")
        var receipt: String
        @OptionGroup var log: DirectoryOptions
        @OptionGroup var trusted: KeyOptions

        func run() async throws {
            try await reporting {
                let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: receipt)))
                var keys = try trusted.keys()
                if keys.isEmpty { keys = try naming { try LogProver(directory: log.directory).keys() } }
                do throws(TransparencyLogError) {
                    let receipt = try Receipt(parsing: bytes)
                    guard let record = receipt.extra else {
                        throw TransparencyLogError(.malformed, "the receipt does not have the record")
                    }
                    let checkpoint = try receipt.verify(entry: record, keys: keys)
                    print(String(decoding: record, as: UTF8.self))
                    complain(
                        "this is record \(receipt.proof.index) of the log \(checkpoint.origin), as its checkpoint of "
                            + "\(checkpoint.size) records says")
                } catch {
                    complain("the receipt does not hold: \(error.message)")
                    throw SecretError.Code.integrityFailure.exitCode
                }
            }
        }
    }

    /// `postern audit keys`.
    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the verifier keys of a log, the current one last.",
            discussion: "Each was handed over to by the one before it. Auditors keep the line of one of them.")

        @OptionGroup var log: DirectoryOptions
        @OptionGroup var trusted: KeyOptions

        func run() async throws {
            try await reporting {
                let keys = try trusted.keys()
                for key in try naming({ try LogProver(directory: log.directory).keys(from: keys) }) { print(key) }
            }
        }
    }
}

/// Runs a check; a log that is not whole becomes one message and its exit code.
private func naming<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let problem as LogProblem {
        complain(problem.description)
        throw SecretError.Code.integrityFailure.exitCode
    }
}

/// A verified log, for people and machines.
private struct Whole: Encodable {
    let origin: String
    /// All that are in the log: those that the checkpoint covers, and what came since.
    let records: UInt64
    let size: UInt64
    let root: String
    let keys: [String]
    let keyGiven: Bool
    let minimumIndex: UInt64
    let recordsRead: UInt64
    let earlierCheckpoints: Int
    let segments: Int?
    let uncoveredRecords: UInt64
    let unfinishedBytes: Int

    init(_ report: LogVerifier.Report) {
        origin = report.origin
        records = report.size + report.uncovered
        size = report.size
        root = report.root.base64
        keys = report.keys.map(\.description)
        keyGiven = report.isKeyGiven
        minimumIndex = report.minimumIndex
        recordsRead = report.records
        earlierCheckpoints = report.earlierCheckpoints
        segments = report.segments
        uncoveredRecords = report.uncovered
        unfinishedBytes = report.tornBytes
    }

    var text: String {
        var lines = ["whole: \(size) records of the log \(origin), root \(root)", "read: \(recordsRead) records"]
        if minimumIndex > 0 { lines.append("pruned, on record: the records before \(minimumIndex)") }
        if let segments { lines.append("segments: \(segments) agree") }
        if uncoveredRecords > 0 { lines.append("not yet covered by a checkpoint: \(uncoveredRecords) records") }
        if unfinishedBytes > 0 { lines.append("an unfinished write of \(unfinishedBytes) bytes at the end") }
        if earlierCheckpoints > 0 { lines.append("earlier checkpoints: \(earlierCheckpoints) agree") }
        lines.append("signed by: \(keys.last ?? "")")
        if !keyGiven {
            lines.append(
                "That key was taken on its word. Whoever can replace the whole log can replace it: bring --key.")
        }
        return lines.joined(separator: "\n")
    }
}
