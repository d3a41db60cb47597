// Reads the `when` of a rule.

import Yams

extension PolicyReader {
    static let conditionKeys = ["networks", "time", "reason", "second_approver"]

    /// Reads the conditions; nil if nothing is asked for.
    func readConditions(_ node: Node, _ effect: Effect) -> Conditions? {
        guard let section = Section(node, "when", keys: Self.conditionKeys, log) else { return nil }
        if section.entries.isEmpty, case .mapping(let mapping) = node, mapping.isEmpty {
            log.add(node.place, "when is empty; give a condition or remove the key.")
        }
        var conditions = Conditions()
        if let networks = section["networks"] { conditions.networks = readNetworks(networks) }
        conditions.time = section["time"].flatMap(readTime)
        conditions.needsReason = section["reason"]?.flag("reason", log) ?? false
        conditions.needsApprover = section["second_approver"]?.flag("second_approver", log) ?? false
        if effect == .deny, conditions.needsReason || conditions.needsApprover {
            log.add(
                section.place,
                "A deny rule applies when its conditions hold, so this one would refuse just those who give a reason or have an approver; put reason and second_approver in the allow rule."
            )
        }
        return conditions.isEmpty ? nil : conditions
    }

    private func readNetworks(_ node: Node) -> [Network] {
        node.texts("networks", log).compactMap { entry in
            do throws(NetworkError) {
                return try Network(entry.text)
            } catch {
                log.add(entry.place, "\"\(entry.text)\" \(error.message).")
                return nil
            }
        }
    }

    private func readTime(_ node: Node) -> TimeWindow? {
        guard let section = Section(node, "time", keys: ["days", "from", "to"], log) else { return nil }
        if section.entries.isEmpty, case .mapping(let mapping) = node, mapping.isEmpty {
            log.add(node.place, "time is empty; give days, or from and to, or both.")
        }
        var days = Set(Weekday.allCases)
        if let node = section["days"] {
            days = Set(
                node.texts("days", log).compactMap { entry in
                    if let day = Weekday(rawValue: entry.text) { return day }
                    let known = Weekday.allCases.map(\.rawValue).joined(separator: ", ")
                    log.add(entry.place, "There is no day \"\(entry.text)\"; days are \(known).")
                    return nil
                })
        }
        guard (section["from"] == nil) == (section["to"] == nil) else {
            log.add(section.place, "time needs both from and to, or neither.")
            return nil
        }
        guard let fromNode = section["from"], let toNode = section["to"] else { return TimeWindow(days: days) }
        let from = readMinutes(fromNode, "from")
        let to = readMinutes(toNode, "to")
        guard let from, let to else { return nil }
        guard from != to, from < TimeWindow.minutesPerDay else {
            log.add(fromNode.place, "time starts where it ends; for the whole day leave from and to out.")
            return nil
        }
        return TimeWindow(days: days, from: from, to: to)
    }

    private func readMinutes(_ node: Node, _ what: String) -> Int? {
        guard let entry = node.text(what, log) else { return nil }
        if let minutes = TimeWindow.minutes(entry.text) { return minutes }
        log.add(entry.place, "\(what) \"\(entry.text)\" is no time; write hours and minutes in UTC, as in \"08:00\".")
        return nil
    }
}
