// `postern audit query`: finds records of an audit log where it lies.

import ArgumentParser
import Foundation
import PosternAudit
import PosternAuditIndex
import PosternProtocol

extension AuditCommand {
    /// `postern audit query`.
    struct Query: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find records of an audit log, newest first.",
            discussion: """
                Uses an index beside the log, which is brought up to date first; it is derived from the log and can be removed at \
                any time. --output json prints one object a line. Where there are more records than --limit, the last \
                line on standard error says how to go on.
                """)

        @Option(help: "The principal.")
        var who: String?
        @Option(help: "The action, as in secret.read, or secret.* for all that begin with it.")
        var what: String?
        @Option(help: "The secret's path, or a folder, as in llm/**.")
        var path: String?
        @Option(help: "The earliest time: RFC 3339, or a date in UTC.", transform: Query.time)
        var from: Timestamp?
        @Option(help: "The time from which on records are not wanted.", transform: Query.time)
        var to: Timestamp?
        @Option(help: "The outcome, as in ok or permission_denied.")
        var outcome: String?
        @Option(help: "The most records to print.")
        var limit = 100
        @Option(help: "Go on after a page that ended here.", transform: Query.place)
        var after: AuditQuery.Place?
        @Option(help: "The index's file, where none can be made beside the log.")
        var index: String?

        @OptionGroup var log: DirectoryOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit must be 1 to 1000000.") }
        }

        func run() async throws {
            try await reporting {
                let index = try AuditIndex(directory: log.directory, file: index)
                try index.catchUp { done, end in
                    guard isatty(STDERR_FILENO) == 1 else { return }
                    let text = done < end ? "\r\u{1B}[Kindexing: \(done) of \(end)" : "\r\u{1B}[K"
                    FileHandle.standardError.write(Data(text.utf8))
                }
                let (records, findings) = try index.records(query)
                for entry in records { AuditLine.show(entry, output) }
                if records.count < findings.indexes.count {
                    StandardError.write(
                        "\(findings.indexes.count - records.count) more were found and have been pruned.")
                }
                if let next = findings.next { StandardError.write("There are more; go on with --after \(next.text)") }
                try index.close()
            }
        }

        private var query: AuditQuery {
            var query = AuditQuery()
            (query.who, query.what, query.path, query.outcome) = (who, what, path, outcome)
            (query.from, query.to, query.after, query.limit) = (from, to, after, limit)
            return query
        }

        private static func time(_ text: String) throws -> Timestamp {
            // A date, or a time without fractions of a second, is as good.
            let whole = text.hasSuffix("Z") ? text.dropLast() + ".000000Z" : text + "T00:00:00.000000Z"
            guard let time = Timestamp(text) ?? Timestamp(whole) else {
                throw ValidationError("\"\(text)\" is no time: write 2026-11-24 or 2026-11-24T12:00:00Z.")
            }
            return time
        }

        private static func place(_ text: String) throws -> AuditQuery.Place {
            guard let place = AuditQuery.Place(text) else {
                throw ValidationError("\"\(text)\" is not where a page ended; copy it from the page before.")
            }
            return place
        }
    }
}
