// Takes typed values out of YAML nodes, and notes what has the wrong type.

import Yams

/// A text and where it stands.
struct Located {
    let text: String
    let place: Place
}

/// A mapping whose keys were checked.
struct Section {
    let place: Place
    private(set) var values: [String: Node] = [:]
    /// In the order of the file.
    private(set) var entries: [(key: Located, value: Node)] = []

    /// Reads a mapping and notes duplicate keys and, where `keys` are given, unknown ones.
    /// - Parameter what: the subject of the sentence for a problem, as in `A rule`.
    init?(_ node: Node, _ what: String, keys: [String]? = nil, _ log: ProblemLog) {
        guard case .mapping(let mapping) = node else {
            let form = keys.map { "a mapping with the keys \($0.joined(separator: ", "))" } ?? "a mapping of names"
            log.add(node.place, "\(what) must be \(form).")
            return nil
        }
        place = node.place
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                log.add(key.place, "\(what) has a key that is not text; write a plain name.")
                continue
            }
            let name = scalar.string
            if let keys, !keys.contains(name) {
                log.add(
                    key.place, "\(what) has the unknown key \"\(name)\"; known are \(keys.joined(separator: ", ")).")
                continue
            }
            guard values.updateValue(value, forKey: name) == nil else {
                log.add(key.place, "\"\(name)\" is given twice; keep one.")
                continue
            }
            entries.append((Located(text: name, place: key.place), value))
        }
    }

    subscript(key: String) -> Node? { values[key] }
}

extension Node {
    /// The node as text that is not empty; else a problem is noted.
    func text(_ what: String, _ log: ProblemLog) -> Located? {
        guard case .scalar(let scalar) = self else {
            log.add(place, "\(what) must be text.")
            return nil
        }
        let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
        guard !isNull, !scalar.string.isEmpty else {
            log.add(place, "\(what) is empty; give a value or remove the key.")
            return nil
        }
        return Located(text: scalar.string, place: place)
    }

    /// The node as a list of texts, at least one; else a problem is noted.
    func texts(_ what: String, orSingle: Bool = false, _ log: ProblemLog) -> [Located] {
        if orSingle, case .scalar = self {
            return text(what, log).map { [$0] } ?? []
        }
        guard case .sequence(let items) = self else {
            log.add(place, "\(what) must be a list of texts, as in [a, b].")
            return []
        }
        guard !items.isEmpty else {
            log.add(place, "\(what) is an empty list; give at least one entry.")
            return []
        }
        return items.compactMap { $0.text("An entry of \(what)", log) }
    }

    /// The node as `true` or `false`; else a problem is noted.
    func flag(_ what: String, _ log: ProblemLog) -> Bool {
        if case .scalar(let scalar) = self, scalar.style == .plain {
            if scalar.string == "true" { return true }
            if scalar.string == "false" { return false }
        }
        log.add(place, "\(what) must be true or false, without quotes.")
        return false
    }
}
