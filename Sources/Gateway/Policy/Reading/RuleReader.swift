// Reads the rules of a policy file.

import Yams

extension PolicyReader {
    static let ruleKeys = ["id", "allow", "deny", "to", "on", "when"]

    mutating func readRules(_ node: Node) {
        guard case .sequence(let items) = node else {
            log.add(node.place, "rules must be a list; start each rule with \"- id: \".")
            return
        }
        if items.isEmpty {
            log.add(node.place, "rules is an empty list; add at least one rule, since everything else is denied.")
        }
        guard items.count <= Self.maximumRules else {
            log.add(
                node.place,
                "There are \(items.count) rules; at most \(Self.maximumRules) are allowed. Use groups and globs.")
            return
        }
        var lines: [String: Int] = [:]
        for item in items {
            guard let rule = readRule(item, &lines) else { continue }
            source.rules.append(rule)
        }
    }

    /// Reads a rule; nil if it cannot be used (then a problem has been noted).
    private func readRule(_ node: Node, _ lines: inout [String: Int]) -> Rule? {
        guard let section = Section(node, "A rule", keys: Self.ruleKeys, log) else { return nil }
        let line = section.place.line
        let id = readID(section, line, &lines)
        let audiences = readAudiences(section)
        let globs = readGlobs(section)
        guard let (effect, actions) = readActions(section, globs) else { return nil }
        let conditions = section["when"].flatMap { readConditions($0, effect) }
        return Rule(
            id: id, effect: effect, actions: actions, audiences: audiences, globs: globs ?? [],
            conditions: conditions, line: line)
    }

    private func readID(_ section: Section, _ line: Int, _ lines: inout [String: Int]) -> String {
        guard let node = section["id"] else {
            log.add(section.place, "The rule has no id; add one, since the audit log names the rule that decided.")
            return ""
        }
        guard let id = node.text("id", log) else { return "" }
        if !Name.isValid(id.text) {
            log.add(id.place, "The rule id \"\(id.text)\" \(Name.rule).")
        } else if let first = lines[id.text] {
            log.add(id.place, "The rule id \"\(id.text)\" is already used on line \(first); choose another.")
        } else {
            lines[id.text] = line
        }
        return id.text
    }

    private func readActions(_ section: Section, _ globs: [Glob]?) -> (Effect, ActionSet)? {
        let effect: Effect
        let node: Node
        switch (section["allow"], section["deny"]) {
        case (let allow?, nil): (effect, node) = (.allow, allow)
        case (nil, let deny?): (effect, node) = (.deny, deny)
        case (nil, nil):
            log.add(
                section.place, "The rule neither allows nor denies; add \"allow\" or \"deny\" with a list of actions.")
            return nil
        case (_?, let deny?):
            log.add(deny.place, "The rule both allows and denies; make two rules of it.")
            return nil
        }
        var actions = ActionSet()
        var gatewayWide: Located?
        var needsPaths = false
        for name in node.texts(effect.rawValue, log) {
            if name.text == Name.all {
                actions.formUnion(.all)
                needsPaths = true
            } else if let action = Action(rawValue: name.text) {
                actions.formUnion(ActionSet([action]))
                if action.isGatewayWide { gatewayWide = name } else { needsPaths = true }
            } else {
                let known = (Action.allCases.map(\.rawValue) + [Name.all]).joined(separator: ", ")
                log.add(name.place, "There is no action \"\(name.text)\"; known are \(known).")
            }
        }
        if needsPaths, section["on"] == nil {
            log.add(section.place, "The rule says not on which paths; add \"on\" with a list of globs, \"**\" for all.")
        }
        if let gatewayWide, let globs, !globs.contains(where: \.matchesEverything) {
            log.add(
                gatewayWide.place,
                "\(gatewayWide.text) has no path, so it cannot be limited to some; move it to a rule without \"on\".")
        }
        return (effect, actions)
    }

    private func readAudiences(_ section: Section) -> [Audience] {
        guard let node = section["to"] else {
            log.add(
                section.place, "The rule says not to whom it applies; add \"to\" with principals, \"@group\" or all.")
            return []
        }
        return node.texts("to", log).compactMap { entry in
            if entry.text == Name.all { return .everybody }
            if entry.text.hasPrefix("@") {
                let name = String(entry.text.dropFirst())
                if let index = groups[name] { return .group(index) }
                log.add(entry.place, "There is no group \"\(name)\"; add it under groups or correct the name.")
            } else if let index = principals[entry.text] {
                return .principal(index)
            } else if groups[entry.text] != nil {
                log.add(entry.place, "\"\(entry.text)\" is a group; write \"@\(entry.text)\", in quotes.")
            } else {
                log.add(entry.place, unknownPrincipal(entry.text))
            }
            return nil
        }
    }

    /// The rule's globs, or nil where it has no `on`.
    private func readGlobs(_ section: Section) -> [Glob]? {
        section["on"]?.texts("on", log).compactMap { entry in
            do throws(GlobError) {
                return try Glob(entry.text)
            } catch {
                log.add(entry.place, "The glob \"\(entry.text)\" \(error.message).")
                return nil
            }
        }
    }
}
