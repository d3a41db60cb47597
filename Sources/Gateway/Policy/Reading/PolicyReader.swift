// Reads a policy file: its top level, principals and groups. Goes on after a problem, so that one run
// tells all of them.

import Yams

/// Turns the YAML tree into a ``PolicySource`` and notes every problem on the way.
struct PolicyReader {
    static let keys = ["version", "principals", "groups", "rules"]
    static let maximumRules = 10_000

    let log: ProblemLog
    var source = PolicySource()
    /// Indexes by name.
    var principals: [String: Int] = [:]
    var groups: [String: Int] = [:]

    init(_ log: ProblemLog) {
        self.log = log
    }

    mutating func read(_ root: Node) {
        guard let top = Section(root, "A policy", keys: Self.keys, log) else { return }
        checkVersion(top)
        if let node = top["principals"] {
            readPrincipals(node)
        } else {
            log.add(top.place, "The policy has no principals; add them, with what each is recognised by.")
        }
        if let node = top["groups"] { readGroups(node) }
        if let node = top["rules"] {
            readRules(node)
        } else {
            log.add(top.place, "The policy has no rules; add at least one, since everything else is denied.")
        }
    }

    private func checkVersion(_ top: Section) {
        guard let node = top["version"] else {
            log.add(top.place, "The policy has no version; add \"version: 1\" as its first line.")
            return
        }
        guard let version = node.text("version", log), version.text != "1" else { return }
        log.add(
            version.place, "The policy's version \"\(version.text)\" is not supported; this release reads version 1.")
    }

    // MARK: Principals and groups

    private mutating func readPrincipals(_ node: Node) {
        guard let section = Section(node, "principals", log) else { return }
        if section.entries.isEmpty {
            log.add(node.place, "principals is empty; add at least one principal.")
        }
        var owners: [Selector: String] = [:]
        for (name, value) in section.entries {
            checkName(name, of: "principal")
            let selectors = readSelectors(value, of: name.text, owners: &owners)
            principals[name.text] = source.principals.count
            source.principals.append(.init(id: PrincipalID(name.text), selectors: selectors))
        }
    }

    private func readSelectors(_ node: Node, of name: String, owners: inout [Selector: String]) -> [Selector] {
        guard let section = Section(node, "The principal \"\(name)\"", keys: Selector.kinds, log) else { return [] }
        if section.entries.isEmpty, case .mapping(let mapping) = node, mapping.isEmpty {
            log.add(
                node.place,
                "The principal \"\(name)\" has nothing to be recognised by; give it one of \(Selector.kinds.joined(separator: ", "))."
            )
        }
        var selectors: [Selector] = []
        for (kind, value) in section.entries {
            for text in value.texts(kind.text, orSingle: true, log) {
                do throws(SelectorError) {
                    guard let selector = try Selector(kind: kind.text, text.text) else { continue }
                    if let owner = owners.updateValue(name, forKey: selector) {
                        log.add(
                            text.place,
                            "\(kind.text) \"\(text.text)\" already belongs to the principal \"\(owner)\"; it can stand for one only."
                        )
                        owners[selector] = owner
                    }
                    selectors.append(selector)
                } catch {
                    log.add(text.place, "\(kind.text) \"\(text.text)\" \(error.message).")
                }
            }
        }
        return selectors
    }

    private mutating func readGroups(_ node: Node) {
        guard let section = Section(node, "groups", log) else { return }
        if section.entries.isEmpty, case .mapping(let mapping) = node, mapping.isEmpty {
            log.add(node.place, "groups is empty; add a group or remove the key.")
        }
        for (name, value) in section.entries {
            checkName(name, of: "group")
            var members = Set<Int>()
            for member in value.texts("the group \"\(name.text)\"", log) {
                if let index = principals[member.text] {
                    members.insert(index)
                } else if member.text.hasPrefix("@") || section[member.text] != nil {
                    log.add(
                        member.place, "\"\(member.text)\" is a group; groups hold principals only, so list its members."
                    )
                } else {
                    log.add(member.place, unknownPrincipal(member.text))
                }
            }
            groups[name.text] = source.groups.count
            source.groups.append(.init(name: name.text, members: members.sorted()))
        }
    }

    func unknownPrincipal(_ name: String) -> String {
        "There is no principal \"\(name)\"; add it under principals or correct the name."
    }

    func checkName(_ name: Located, of what: String) {
        if name.text == Name.all {
            log.add(name.place, "The \(what) name \"all\" is taken: it means everybody. Choose another.")
        } else if !Name.isValid(name.text) {
            log.add(name.place, "The \(what) name \"\(name.text)\" \(Name.rule).")
        }
    }
}
