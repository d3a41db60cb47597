// `postern policy`: what the policy file says, by the matcher that enforces it.

import ArgumentParser
import PosternCore
import PosternPolicy
import PosternProtocol

/// `postern policy`.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check, explain and print a policy file.",
        subcommands: [Check.self, Explain.self, Matrix.self])

    /// Which policy file.
    struct FileOptions: ParsableArguments {
        @Option(name: .long, help: "The policy file.")
        var file = ".postern/policy.yaml"

        func load() throws -> Policy {
            try PolicyStore(file: file).current
        }
    }

    /// `postern policy check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Check a policy file; problems name their line.")

        @OptionGroup var options: FileOptions

        func run() async throws {
            try await reporting {
                let policy = try options.load()
                print("\(options.file): \(policy.principals.count) principals, \(policy.ruleCount) rules, no problems")
            }
        }
    }

    /// `postern policy explain`.
    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what the policy answers to a request, and why.",
            discussion: "Exits with 0 if the request is allowed and 4 if it is not.")

        @Argument(help: "Who asks: a principal's name.")
        var principal: String

        @Argument(help: "What for: read, list, describe, write, update_metadata, delete, undelete, destroy, remove, …")
        var action: String

        @Argument(help: "Which secret.")
        var path: String?

        @Option(name: .long, help: "The caller's IP address.")
        var from: String?

        @Option(name: .long, help: "The reason given.")
        var reason: String?

        @Option(name: .long, help: "The approving principal.")
        var approver: String?

        @OptionGroup var options: FileOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let explanation = try await reporting {
                guard let wanted = Action(rawValue: action) else {
                    let known = Action.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SecretError(.invalidArgument, "\"\(action)\" is not an action; the actions are: \(known).")
                }
                let secret: SecretPath? = if let path { try SecretPath(path) } else { nil }
                return try options.load().explain(
                    AccessRequest(
                        principal: PrincipalID(principal), action: wanted, path: secret,
                        context: AccessContext(
                            time: SystemWallClock().now(), address: from, reason: reason,
                            approver: approver.map { PrincipalID($0) })))
            }
            try output.print(explanation) { $0.text }
            if !explanation.allowed { throw SecretError.Code.permissionDenied.exitCode }
        }
    }

    /// `postern policy matrix`.
    struct Matrix: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print who may do what to which secrets, with the rules that say so.")

        @OptionGroup var options: FileOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let matrix = try await reporting { try options.load().matrix() }
            try output.print(matrix) { $0.text }
        }
    }
}
