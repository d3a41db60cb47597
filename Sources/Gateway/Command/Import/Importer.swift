// Writes imported secrets that are not there yet, one after the other, and says what became of each.

import Foundation
import NIOCore
import NIOHTTP1
import PosternCoding
import PosternProtocol

/// A secret to import.
struct ImportItem: Sendable {
    /// What it is called where it comes from.
    let name: String
    /// Where it goes.
    let path: SecretPath
    let payload: Payload
}

/// Secrets to import: all at hand, or to be fetched in order by names that are known to be good.
enum ImportSource {
    case list([ImportItem])
    /// Fetches one after the other; each with why it cannot be had, where it cannot.
    case fetched((_ take: (_ name: String, Result<ImportItem, SecretError>) async throws -> Void) async throws -> Void)
}

/// How names become paths.
struct ImportNaming {
    let prefix: String
    let strip: String?
    let separator: String?

    init(prefix: String?, strip: String?, separator: String?) throws(SecretError) {
        if let prefix { _ = try PathPrefix(prefix) }
        self.prefix = prefix.map { $0.hasSuffix("/") || $0.isEmpty ? $0 : $0 + "/" } ?? ""
        self.strip = strip
        self.separator = separator?.isEmpty == true ? nil : separator
    }

    /// The paths of names, in order; nil for a name that is left out.
    /// - Throws: `invalid_argument` naming every name that is no path, and all that would be one and the same.
    func paths(_ names: [String]) throws(SecretError) -> [SecretPath?] {
        var paths: [SecretPath?] = []
        var problems: [String] = []
        var owners: [SecretPath: String] = [:]
        for name in names {
            guard strip.map({ name.hasPrefix($0) }) ?? true else {
                paths.append(nil)
                continue
            }
            var rest = String(name.dropFirst(strip?.count ?? 0))
            if let separator { rest = rest.replacing(separator, with: "/") }
            do throws(SecretError) {
                let path = try SecretPath(prefix + rest)
                paths.append(path)
                if let other = owners.updateValue(name, forKey: path) {
                    problems.append("\"\(shown(name))\" and \"\(shown(other))\" would both be \(path)")
                }
            } catch {
                problems.append("\"\(shown(name))\": \(error.message)")
            }
        }
        guard problems.isEmpty else {
            throw SecretError(
                .invalidArgument,
                "Nothing was written: \(problems.count) names cannot become paths. Use --strip-prefix, --separator or "
                    + "--prefix, or rename them.\n" + problems.joined(separator: "\n"))
        }
        return paths
    }

    /// The items of names and fields.
    func items(_ secrets: [(name: String, fields: [Payload.Field])]) throws(SecretError) -> [ImportItem] {
        var items: [ImportItem] = []
        for (secret, path) in zip(secrets, try paths(secrets.map(\.name))) {
            guard let path else { continue }
            items.append(ImportItem(name: secret.name, path: path, payload: try Payload(secret.fields)))
        }
        return items
    }
}

/// What became of an import.
struct ImportReport: Encodable, Sendable {
    struct Problem: Encodable, Sendable {
        let name: String
        let problem: String
    }

    /// The most problems that are told in words.
    static let maximumProblems = 1_000

    var total = 0
    var written = 0
    var unchanged = 0
    var skipped = 0
    var failed = 0
    /// How many of those that failed have another value already.
    var conflicts = 0
    var problems: [Problem] = []

    mutating func fail(_ name: String, _ problem: String) {
        failed += 1
        if problems.count < Self.maximumProblems { problems.append(Problem(name: name, problem: problem)) }
    }

    func text(dryRun: Bool) -> String {
        let first =
            "\(total) secrets: \(written) \(dryRun ? "to write" : "written"), \(unchanged) there with the same value, "
            + "\(skipped) skipped with another value, \(failed) failed"
        return ([first] + problems.map { "\(shown($0.name)): \($0.problem)" }).joined(separator: "\n")
    }
}

/// Imports secrets through the admin API.
struct Importer {
    /// What a gateway has under a path.
    private enum Found {
        case nothing
        case version(Int, Payload?)
    }

    let client: AdminClient
    let existing: ImportOptions.Existing
    let dryRun: Bool

    func run(_ source: ImportSource) async throws -> ImportReport {
        var report = ImportReport()
        switch source {
        case .list(let items):
            for item in items { try await take(item.name, .success(item), &report) }
        case .fetched(let fetch):
            try await fetch { name, item in try await take(name, item, &report) }
        }
        return report
    }

    /// - Throws: what concerns all: the gateway does not answer, or does not know the key.
    private func take(
        _ name: String, _ item: Result<ImportItem, SecretError>, _ report: inout ImportReport
    ) async throws {
        report.total += 1
        do {
            try await take(try item.get(), &report)
        } catch let error as SecretError {
            switch error.code {
            case .unauthenticated, .backendUnavailable, .backendSealed, .auditUnavailable, .rateLimited: throw error
            default: report.fail(name, error.message)
            }
        }
    }

    private func take(_ item: ImportItem, _ report: inout ImportReport) async throws {
        var expected = 0
        if case .version(let version, let payload) = try await find(item.path) {
            if let payload, Self.isSame(payload, item.payload) {
                report.unchanged += 1
                return
            }
            switch existing {
            case .skip:
                report.skipped += 1
                return
            case .fail:
                report.conflicts += 1
                report.fail(item.name, "\(item.path) is there with another value; --if-exists says what to do then.")
                return
            case .update: expected = version
            }
        }
        if !dryRun { try await write(item, expecting: expected) }
        report.written += 1
    }

    private static func isSame(_ a: Payload, _ b: Payload) -> Bool {
        func sorted(_ payload: Payload) -> [Payload.Field] {
            payload.fields.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
        return sorted(a) == sorted(b)
    }

    private func find(_ path: SecretPath) async throws -> Found {
        do {
            let body = try await client.exchange(.POST, "secrets/\(path):reveal", ByteBuffer(string: "{}"))
            return try Self.found(body)
        } catch let error as SecretError {
            switch error.code {
            case .notFound: return .nothing
            case .versionDeleted, .versionDestroyed:
                struct Described: Decodable {
                    let currentVersion: Int
                }
                return .version(try await client.get("secrets/\(path)", Described.self).currentVersion, nil)
            default: throw error
            }
        }
    }

    private static func found(_ body: ByteBuffer) throws -> Found {
        var version = 0
        var fields: [Payload.Field] = []
        try body.withUnsafeReadableBytes { bytes in
            try JSONReader.read(bytes) { (json, name) throws(SecretError) in
                switch name {
                case "version": version = try json.integer(name)
                case "fields":
                    try json.object(name) { (json, field) throws(SecretError) in
                        fields.append(.init(name: field, value: try value(&json)))
                    }
                default: _ = try json.raw(name)
                }
            }
        }
        return .version(version, try Payload(fields, maximumBytes: .max))
    }

    /// A value: text, or `{"base64": "…"}`.
    private static func value(_ json: inout JSONReader) throws(SecretError) -> SecretBytes {
        guard json.isAtObject else { return try json.secret("The value") }
        var value = SecretBytes("")
        try json.object("The value") { (json, _) throws(SecretError) in
            value = try Base64.decode(try json.secret("The value"), "The value")
        }
        return value
    }

    private func write(_ item: ImportItem, expecting: Int) async throws {
        var body = ByteBuffer()
        body.writeString("{\"name\":\"\(item.path)\",\"expected_version\":\(expecting),\"fields\":{")
        for (index, field) in item.payload.fields.enumerated() {
            if index > 0 { body.writeString(",") }
            JSONStrings.append(field.name.utf8, to: &body)
            body.writeString(":")
            field.value.withUnsafeBytes { bytes in
                guard !JSONReader.isUTF8(bytes) else { return JSONStrings.append(bytes, to: &body) }
                body.writeString("{\"base64\":\"")
                Base64.append(bytes, to: &body)
                body.writeString("\"}")
            }
        }
        body.writeString("}}")
        _ = try await client.exchange(.POST, "secrets", body)
    }
}
