// `postern import`: brings secrets in from files and older stores, through the admin API, so that policy and audit apply.

import ArgumentParser
import Foundation
import PosternProtocol

/// `postern import`.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Bring secrets in from dotenv and JSON files, or from encrypted blobs in Redis.",
        discussion: """
            Repeat it as often as you like: what is there with the same value already is left alone. Names that cannot be \
            paths are told, all of them, before anything is written. Exits with 0 if everything is there in the end.
            """,
        subcommands: [Dotenv.self, JSON.self, Redis.self])

    /// `postern import dotenv`.
    struct Dotenv: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import a dotenv file: one secret for each key, or one for the whole file.")

        @Argument(help: "The file.")
        var file: String

        @Option(
            name: .long, help: "Make one secret of this path, with the keys as its fields, instead of one for each key."
        )
        var asSecret: String?

        @OptionGroup var options: ImportOptions

        func run() async throws {
            try await options.run { naming in
                let pairs = try DotenvParser.parse(try SecretFile.read(file))
                guard let asSecret else {
                    return .list(
                        try naming.items(
                            pairs.map { ($0.name, [Payload.Field(name: Payload.valueField, value: $0.value)]) }))
                }
                let fields = pairs.map { Payload.Field(name: $0.name, value: $0.value) }
                return .list([ImportItem(name: file, path: try SecretPath(asSecret), payload: try Payload(fields))])
            }
        }
    }

    /// `postern import json`.
    struct JSON: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "json",
            abstract: "Import a JSON file: an object of paths, each with a text or an object of fields.")

        @Argument(help: "The file.")
        var file: String

        @OptionGroup var options: ImportOptions

        func run() async throws {
            try await options.run { naming in
                do {
                    return .list(try naming.items(try JSONSecrets.parse(try SecretFile.read(file))))
                } catch let error as SecretError {
                    throw SecretError(error.code, "\(file): \(error.message)")
                }
            }
        }
    }
}

/// What all imports have in common.
struct ImportOptions: ParsableArguments {
    @Option(name: .long, help: "A path to put in front of all names.")
    var prefix: String?

    @Option(name: .long, help: "What to drop from the beginning of names; those that do not begin so are left out.")
    var stripPrefix: String?

    @Option(name: .long, help: "A separator in names that becomes the slash of paths, as ':' in Redis.")
    var separator: String?

    @Option(name: .long, help: "What to do with a secret that has another value already: skip, fail or update.")
    var ifExists: Existing = .fail

    @Flag(name: .long, help: "Only say what would be; compares with what is there, writes nothing.")
    var dryRun = false

    @OptionGroup var admin: AdminOptions
    @OptionGroup var output: OutputOptions

    /// What to do with a secret that has another value already.
    enum Existing: String, ExpressibleByArgument, CaseIterable {
        case skip, fail, update
    }

    /// Runs an import.
    func run(_ source: @escaping (ImportNaming) async throws -> ImportSource) async throws {
        var admin = admin
        // Looking at a value takes a reason.
        if admin.reason.isEmpty { admin.reason = "postern import compares with what is there" }
        let report = try await admin.withClient { client in
            let naming = try ImportNaming(prefix: prefix, strip: stripPrefix, separator: separator)
            let importer = Importer(client: client, existing: ifExists, dryRun: dryRun)
            return try await importer.run(try await source(naming))
        }
        try output.print(report) { $0.text(dryRun: dryRun) }
        if report.failed > 0 {
            throw (report.conflicts == report.failed ? SecretError.Code.conflict : .internalError).exitCode
        }
    }
}

/// A file with secrets in it.
enum SecretFile {
    /// The largest file.
    private static let maximumBytes = 256 << 20

    /// Reads a file.
    /// - Throws: `invalid_argument` if it cannot be read or is too large.
    static func read(_ path: String) throws(SecretError) -> SecretBytes {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw SecretError(.invalidArgument, "The file \(path) cannot be read.")
        }
        let data: Data
        do {
            data = try handle.read(upToCount: maximumBytes + 1) ?? Data()
            try handle.close()
        } catch {
            throw SecretError(.invalidArgument, "The file \(path) cannot be read: \(error.localizedDescription)")
        }
        guard data.count <= maximumBytes else {
            throw SecretError(.tooLarge, "The file \(path) has more than \(maximumBytes >> 20) MiB.")
        }
        return SecretBytes(copying: data)
    }
}
