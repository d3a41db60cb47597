// Reads the YAML file strictly: every key must exist, every value must have the right type, and what is
// wrong is told with its line.

import Foundation
import Yams

extension Layer {
    /// The largest configuration file.
    private static let maximumBytes = 1 << 20

    /// A YAML file.
    init(file: String) {
        self.init()
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            let reason = (error as NSError).localizedDescription
            isReadable = false
            report("the configuration file cannot be read: \(reason)", at: file)
            return
        }
        guard bytes.count <= Self.maximumBytes, let text = String(validating: bytes, as: UTF8.self) else {
            isReadable = false
            report("the configuration file must be UTF-8 text of at most \(Self.maximumBytes) bytes.", at: file)
            return
        }
        parse(text, file: file)
    }

    private mutating func parse(_ yaml: String, file: String) {
        let root: Node?
        do {
            root = try compose(yaml: yaml)
        } catch {
            let (line, message) = Self.explain(error)
            isReadable = false
            report(message, at: line.map { "\(file):\($0)" } ?? file)
            return
        }
        // An empty file, or one of comments only, sets nothing.
        guard let root, !Self.isNull(root) else { return }
        guard case .mapping(let mapping) = root else {
            report("the file must have sections, as in \"grpc:\".", at: Self.place(root, file))
            return
        }
        walk(mapping, folder: "", file: file)
    }

    private mutating func walk(_ mapping: Node.Mapping, folder: String, file: String) {
        for (name, value) in mapping {
            let place = Self.place(name, file)
            guard let text = name.scalar?.string else {
                report("a key must be a plain word.", key: folder, at: place)
                continue
            }
            let key = folder.isEmpty ? text : folder + "." + text
            if let setting = Schema.byKey[key] {
                read(value, for: setting, file: file, keyPlace: place)
            } else if Schema.folders[key] != nil {
                switch value {
                case .mapping(let inner): walk(inner, folder: key, file: file)
                // A section of comments only.
                case _ where Self.isNull(value): continue
                default: report("this is a section: put its keys below it, indented.", key: key, at: place)
                }
            } else {
                report(Schema.unknownKey(key), key: key, at: place)
            }
        }
    }

    private mutating func read(_ value: Node, for setting: AnySetting, file: String, keyPlace: String) {
        let place = Self.place(value, file)
        if Self.isNull(value) {
            report(
                "it has no value; write \(setting.allowed), or leave the key out.", key: setting.key, at: keyPlace)
            return
        }
        switch setting.shape {
        case .text:
            guard case .scalar(let scalar) = value else {
                report("this must be one value: write \(setting.allowed).", key: setting.key, at: place)
                return
            }
            take(scalar.string, for: setting, at: place)
        case .plain:
            guard case .scalar(let scalar) = value, scalar.style == .plain else {
                report("write \(setting.allowed), without quotes.", key: setting.key, at: place)
                return
            }
            take(scalar.string, for: setting, at: place)
        case .list, .namedHashes, .namedValues, .mappings:
            guard case .sequence(let items) = value else {
                report("this must be a list: write \(setting.allowed).", key: setting.key, at: place)
                return
            }
            let read =
                switch setting.shape {
                case .namedHashes: Self.namedHash
                case .namedValues: Self.namedValue
                case .mappings: Self.mapping
                default: Self.listItem
                }
            let texts = items.map(read)
            if let bad = texts.firstIndex(where: { text in !(text.map(setting.isAllowed) ?? false) }) {
                let why = texts[bad].flatMap(setting.objection).map { ": \($0)" }
                report(
                    "item \(bad + 1)" + (why ?? " is not allowed; write \(setting.allowed)."), key: setting.key,
                    at: Self.place(items[bad], file))
                return
            }
            take(texts.compactMap { $0 }.joined(separator: ","), for: setting, at: place)
        }
    }

    private static func listItem(_ item: Node) -> String? {
        guard case .scalar(let scalar) = item, !isNull(item), !scalar.string.contains(",") else { return nil }
        return scalar.string
    }

    /// `name:sha256` for a mapping of just these two.
    private static func namedHash(_ item: Node) -> String? {
        guard case .mapping(let fields) = item, fields.count == 2, let name = fields["name"]?.scalar?.string,
            let hash = fields["sha256"]?.scalar?.string, !name.contains(","), !hash.contains(",")
        else { return nil }
        return name + ":" + hash
    }

    /// `name=value` for a mapping of one name.
    private static func namedValue(_ item: Node) -> String? {
        guard case .mapping(let fields) = item, fields.count == 1, let field = fields.first,
            let name = field.key.scalar?.string, let value = field.value.scalar?.string, !value.contains(",")
        else { return nil }
        return name + "=" + value
    }

    /// `name=value;name=value` for a mapping of names to values.
    private static func mapping(_ item: Node) -> String? {
        guard case .mapping(let fields) = item else { return nil }
        let parts = fields.map { name, value -> String? in
            guard let name = name.scalar?.string, let value = value.scalar?.string,
                ![name, value].contains(where: { $0.contains(",") || $0.contains(";") })
            else { return nil }
            return name + "=" + value
        }
        let good = parts.compactMap { $0 }
        return good.count == parts.count ? good.joined(separator: ";") : nil
    }

    private static func isNull(_ node: Node) -> Bool { node.null != nil }

    private static func place(_ node: Node, _ file: String) -> String {
        node.mark.map { "\(file):\($0.line)" } ?? file
    }

    /// The line and the words of a YAML error. Its own description quotes the whole file, secrets included.
    private static func explain(_ error: any Error) -> (line: Int?, message: String) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, "this is not valid YAML: \(problem).")
        case .duplicatedKeysInMapping(let names, let context):
            (
                context.mark.line,
                "given more than once in one section, first here: \(names.sorted().joined(separator: ", "))."
            )
        case .reader(let problem, _, _, _): (nil, "this is not valid YAML: \(problem).")
        default: (nil, "this is not valid YAML.")
        }
    }
}
