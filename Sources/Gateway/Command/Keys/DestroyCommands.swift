// `postern keys destroy` and `approve`: two people make everything under a domain's key unreadable for good.

import ArgumentParser
import PosternProtocol

extension KeysCommand {
    /// `postern keys destroy`.
    struct Destroy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask for a domain's key to be destroyed, with everything under it.",
            discussion: """
                Nothing happens until another principal approves with `postern keys approve`. Then no secret of the \
                domain can ever be read again, by anybody. Backups of the store from before still hold the wrapped key.
                """)

        @Argument(help: "The domain.")
        var domain: String

        @Option(name: .long, help: "The domain's name once more.")
        var confirm: String

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await admin.withClient { client in
                try await client.post(
                    "keys:destroy", ["domain": domain, "confirmation": confirm], DomainAnswer.self)
            }
            try output.print(answer.domain) { domain in
                "domain \(domain.name): another principal may approve until "
                    + "\(domain.destruction?.expiresAt.description ?? "it expires")"
            }
        }
    }

    /// `postern keys approve`.
    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Approve that a domain's key is destroyed, which does it.",
            discussion: "Must be another principal than the one who asked.")

        @Argument(help: "The domain.")
        var domain: String

        @OptionGroup var admin: AdminOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let answer = try await admin.withClient { client in
                try await client.post("keys:approve-destroy", ["domain": domain], DomainAnswer.self)
            }
            try output.print(answer.domain) { domain in
                "domain \(domain.name): the key is destroyed, asked for by \(domain.destruction?.requestedBy ?? "") and "
                    + "approved by \(domain.destruction?.approvedBy ?? "")"
            }
        }
    }
}
