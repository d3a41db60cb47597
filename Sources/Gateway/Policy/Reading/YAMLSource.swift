// From text to a YAML tree that is safe to walk: no anchors, no aliases, no tags, or a problem that says where.

import Yams

/// The YAML tree of a policy file, or why there is none.
enum YAMLSource {
    /// The largest policy file, in bytes (4 MiB).
    static let maximumBytes = 4 << 20

    /// What the resolver calls nodes without a tag.
    private static let plainTags = [Tag.Name.implicit, .str, .seq, .map].map(\.rawValue)

    /// Composes the tree. Aliases are refused before it is built, since hashing a tree of aliases, which
    /// composing does to find duplicate keys, takes time exponential in the size of the file.
    static func compose(_ yaml: String, _ log: ProblemLog) -> Node? {
        let size = yaml.utf8.count
        guard size <= maximumBytes else {
            log.add(.start, "The file has \(size) bytes; at most \(maximumBytes) are allowed. Use groups and globs.")
            return nil
        }
        if let place = firstAlias(in: yaml) {
            log.add(
                place,
                "YAML anchors and aliases (&name, *name) are not accepted; write the value out, or use a group.")
            return nil
        }
        do {
            let parser = try Parser(yaml: yaml, resolver: .basic, encoding: .utf8)
            // Nodes hold their anchors weakly; the parser keeps them alive.
            return try withExtendedLifetime(parser) {
                guard let root = try parser.singleRoot() else {
                    log.add(.start, "The file is empty; it needs version, principals and rules.")
                    return nil
                }
                return checkPlain(root, log) ? root : nil
            }
        } catch let error as YamlError {
            report(error, in: yaml, log)
        } catch {
            log.add(.start, "The file cannot be read as YAML: \(error).")
        }
        return nil
    }

    /// Finds the first `*name` for which there is a `&name`, anywhere: in quotes and comments too, where it
    /// means nothing. Taking quotes into account would need a second YAML scanner that agrees with the first.
    private static func firstAlias(in yaml: String) -> Place? {
        var bytes = Array(yaml.utf8)[...]
        guard bytes.contains(UInt8(ascii: "&")) else { return nil }
        var anchors = Set<ArraySlice<UInt8>>()
        while let mark = bytes.firstIndex(of: UInt8(ascii: "&")) {
            bytes = bytes[(mark + 1)...]
            let name = bytes.prefix(while: isAnchorByte)
            if !name.isEmpty { anchors.insert(name) }
        }
        bytes = Array(yaml.utf8)[...]
        while let mark = bytes.firstIndex(of: UInt8(ascii: "*")) {
            bytes = bytes[(mark + 1)...]
            if anchors.contains(bytes.prefix(while: isAnchorByte)) { return Place(offset: mark, in: yaml) }
        }
        return nil
    }

    /// What libyaml accepts in an anchor's name.
    private static func isAnchorByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Refuses anchors and tags. The depth of the tree is bounded by libyaml's own limit of 1000 levels.
    private static func checkPlain(_ node: Node, _ log: ProblemLog) -> Bool {
        if node.anchor != nil {
            log.add(node.place, "YAML anchors (&name) are not accepted; remove it.")
            return false
        }
        guard plainTags.contains(node.tag.rawValue) else {
            log.add(node.place, "The YAML tag \(node.tag.rawValue) is not accepted; remove it.")
            return false
        }
        var isPlain = true
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                if !checkPlain(key, log) { isPlain = false }
                if !checkPlain(value, log) { isPlain = false }
            }
        case .sequence(let sequence):
            for item in sequence where !checkPlain(item, log) { isPlain = false }
        case .scalar: break
        case .alias:
            log.add(node.place, "YAML aliases (*name) are not accepted; write the value out.")
            isPlain = false
        }
        return isPlain
    }

    private static func report(_ error: YamlError, in yaml: String, _ log: ProblemLog) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let about = context.map { "\($0.text.trimmed), " } ?? ""
            log.add(Place(mark), "YAML syntax error: \(about)\(problem).\(hint(at: mark, in: yaml))")
        case .reader(let problem, let offset, _, _):
            let before = yaml.prefix(offset ?? 0).utf8.count
            log.add(Place(offset: before, in: yaml), "The file is not YAML text: \(problem).")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
            log.add(Place(context.mark), "Given more than once in the same mapping: \(names); keep one of each.")
        default:
            log.add(.start, "The file cannot be read as YAML: \(error).")
        }
    }

    /// Globs and group names start with characters that YAML reserves: the usual cause of such errors.
    private static func hint(at mark: Mark, in yaml: String) -> String {
        let lines = yaml.unicodeScalars.split(separator: "\n", maxSplits: mark.line, omittingEmptySubsequences: false)
        guard lines.indices.contains(mark.line - 1) else { return "" }
        let around = lines[mark.line - 1].dropFirst(max(0, mark.column - 3)).prefix(4)
        if around.contains("*") { return " Put globs that start with * in quotes." }
        if around.contains("@") { return " Put group names in quotes, as in \"@services\"." }
        return ""
    }
}

extension String {
    /// Without spaces at either end.
    fileprivate var trimmed: Substring {
        let tail = drop { $0.isWhitespace }
        return tail.prefix(tail.count - tail.reversed().prefix { $0.isWhitespace }.count)
    }
}
