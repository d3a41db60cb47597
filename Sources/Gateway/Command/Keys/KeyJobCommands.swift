// `postern keys rewrap`, `reencrypt`, `references`, `jobs`: work that gateways do while they serve.

import ArgumentParser
import PosternProtocol

extension KeysCommand {
    /// `postern keys rewrap`.
    struct Rewrap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Wrap domain keys anew under each configured key-encryption key.",
            discussion: """
                After a key-encryption key was rotated, added or replaced in the configuration of all gateways. Costs by \
                domains, not by secrets.
                """)

        @Argument(help: "Only this domain.")
        var domain: String?

        @Flag(name: .long, help: "Only count what there is to do.")
        var dryRun = false

        @Flag(name: .long, help: "Drop what is wrapped under key-encryption keys that are not configured any more.")
        var dropUnconfigured = false

        @OptionGroup var job: JobOptions
        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            struct Body: Encodable {
                let domain: String?
                let dryRun: Bool
                let dropUnconfigured: Bool
            }
            try await admin.run(
                "keys:rewrap", Body(domain: domain, dryRun: dryRun, dropUnconfigured: dropUnconfigured), job, output)
        }
    }

    /// `postern keys reencrypt`.
    struct Reencrypt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write secrets that are under an older domain key again, under the current one.",
            discussion: """
                Each becomes a new version with the same content. Secrets whose current version is deleted, or will be \
                by itself, are passed over. Interrupt it as you like: gateways go on with it.
                """)

        @Argument(help: "Only secrets at and below this path.")
        var prefix: String?

        @Flag(name: .long, help: "Only count what there is to do.")
        var dryRun = false

        @Flag(name: .long, help: "Also destroy older versions of secrets that are under older keys.")
        var destroyOld = false

        @Option(name: .long, help: "How many secrets a second at most; 0 for no limit.")
        var rate: Int?

        @OptionGroup var job: JobOptions
        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            struct Body: Encodable {
                let prefix: String?
                let dryRun: Bool
                let destroyOld: Bool
                let rate: Int?
            }
            try await admin.run(
                "keys:reencrypt", Body(prefix: prefix, dryRun: dryRun, destroyOld: destroyOld, rate: rate), job, output)
        }
    }

    /// `postern keys references`.
    struct References: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Count which versions of domain keys the kept versions of secrets are under.")

        @Argument(help: "Only this domain.")
        var domain: String?

        @OptionGroup var job: JobOptions
        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await admin.run("keys:references", ["domain": domain].compactMapValues { $0 }, job, output)
        }
    }

    /// `postern keys jobs`.
    struct Jobs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the jobs on keys, newest first.")

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let list = try await admin.withClient { try await $0.get("keys/jobs", JobList.self) }
            try output.print(list.jobs) { jobs in
                jobs.isEmpty ? "no jobs" : jobs.map(\.summary).joined(separator: "\n\n")
            }
        }
    }
}

extension AdminOptions {
    /// Orders a job, follows it, prints it.
    fileprivate func run(
        _ path: String, _ body: some Encodable & Sendable, _ options: JobOptions, _ output: OutputOptions
    ) async throws {
        let job = try await withClient { client in
            try await options.follow(try await client.post(path, body, JobAnswer.self).job, client)
        }
        try output.print(job) { $0.summary }
        try job.check()
    }
}
