// `postern keys`: the keys in front of the store, through the admin API.

import ArgumentParser
import Foundation
import PosternProtocol

/// `postern keys`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "See and manage the keys that encrypt secrets.",
        discussion: """
            Key-encryption keys (KEKs) live in a file, an HSM or a KMS and wrap domain keys, one for each first path \
            segment, which encrypt secrets. Long work is a job in the store: it survives this command and the gateway.
            """,
        subcommands: [
            Init.self, List.self, Verify.self, Rotate.self, Rewrap.self, Reencrypt.self, References.self, Retire.self,
            Destroy.self, Approve.self, Jobs.self,
        ])

    /// `postern keys list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the key register: every key with its algorithm, origin and dates.")

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let register = try await admin.withClient { try await $0.get("keys", KeyRegister.self) }
            try output.print(register) { $0.text }
        }
    }

    /// `postern keys verify`.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prove that every key-encryption key opens what is wrapped under it.",
            discussion: "Exits with 0 if all do, and 7 if one does not.")

        @Argument(help: "Only this domain.")
        var domain: String?

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let report = try await admin.withClient { client in
                try await client.post("keys:verify", ["domain": domain].compactMapValues { $0 }, KeyVerification.self)
            }
            try output.print(report) { report in
                (["\(report.domains) domains checked at \(report.verifiedAt)"]
                    + report.keks.map { kek in
                        "\(kek.ok ? "ok    " : "FAILED")  \(kek.kek): opened \(kek.opened), failed \(kek.failed), "
                            + "missing \(kek.missing)" + (kek.problem.map { "\n        \($0)" } ?? "")
                    }).joined(separator: "\n")
            }
            if !report.isGood { throw SecretError.Code.keyUnavailable.exitCode }
        }
    }

    /// `postern keys rotate`.
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new version of a domain's key; new secrets are encrypted under it.",
            discussion: "Older versions stay for reads; `postern keys reencrypt` moves what is under them.")

        @Argument(help: "The domain: the first segment of its secrets' paths.")
        var domain: String

        @Flag(name: .long, help: "Only say what would be.")
        var dryRun = false

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            struct Body: Encodable {
                let domain: String
                let dryRun: Bool
            }
            let answer = try await admin.withClient { client in
                try await client.post("keys:rotate", Body(domain: domain, dryRun: dryRun), DomainAnswer.self)
            }
            try output.print(answer.domain) { domain in
                "domain \(domain.name): key version \(domain.current) \(dryRun ? "would be" : "is") current"
            }
        }
    }

    /// `postern keys retire`.
    struct Retire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Retire a version of a domain's key that nothing names any more.",
            discussion: "Looks at every kept version of the domain's secrets first. Exits with 6 while one names it.")

        @Argument(help: "The domain.")
        var domain: String

        @Argument(help: "The key's version.")
        var version: Int

        @Flag(name: .long, help: "Trust the last look at what names the key.")
        var noScan = false

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            struct Body: Encodable {
                let domain: String
                let version: Int
            }
            let answer = try await admin.withClient { client in
                if !noScan {
                    let started = try await client.post("keys:references", ["domain": domain], JobAnswer.self)
                    let job = try await JobOptions.follow(started.job, client)
                    if job.state == .failed { complain(job.summary) }
                }
                return try await client.post(
                    "keys:retire", Body(domain: domain, version: version), DomainAnswer.self)
            }
            try output.print(answer.domain) { "domain \($0.name): key version \(version) is retired" }
        }
    }
}

struct DomainAnswer: Decodable {
    let domain: KeyRegister.Domain
}
