// Random policies with a matcher of their own: as slow and as plain as the rules of the language are.

import PosternPolicy
import PosternProtocol

/// A policy as a list of facts, what it looks like as a file, and what it decides.
struct RandomPolicy {
    struct Rule {
        var id: String
        var isDeny: Bool
        var actions: [String]
        var to: [String]
        var on: [String]
        var networks: [String]
        var days: [String]
        var hours: (from: Int, to: Int)?
        var reason: Bool
        var approver: Bool

        var isConditional: Bool { !networks.isEmpty || !days.isEmpty || hours != nil || reason || approver }
    }

    static let segments = ["a", "b", "api-1", "api-22", "c.d"]
    static let globSegments = ["a", "b", "api-1", "c.d", "*", "*", "**", "**", "api-*", "*-1", "*a*"]
    static let addresses = ["10.0.0.1", "10.9.9.9", "192.0.2.7", "::1", "2001:db8::5", "::ffff:10.0.0.1", "junk"]
    static let weekdays = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]

    var groups: [String: [String]] = [:]
    var rules: [Rule] = []

    init(_ random: inout SeededGenerator) {
        for group in 0..<3 {
            groups["g\(group)"] = ["p\(group)", "p\(Int.random(in: 0..<4, using: &random))"]
        }
        for number in 0..<Int.random(in: 1...12, using: &random) { rules.append(Self.rule(number, &random)) }
    }

    private static func rule(_ number: Int, _ random: inout SeededGenerator) -> Rule {
        let isDeny = random.chance(25)
        var actions = ["read", "list", "write", "all"].filter { _ in random.chance(40) }
        var on = (0..<Int.random(in: 1...3, using: &random)).map { _ in glob(&random) }
        if actions.isEmpty {
            actions = ["read_audit"]
            on = random.chance(50) ? [] : on + ["**"]
        }
        let conditional = random.chance(40)
        return Rule(
            id: "r\(number)", isDeny: isDeny, actions: actions,
            to: (0..<Int.random(in: 1...2, using: &random)).map { _ in
                ["p0", "p1", "p2", "p3", "@g0", "@g1", "@g2", "all"].randomElement(using: &random) ?? "all"
            },
            on: on,
            networks: conditional && random.chance(40) ? ["10.0.0.0/8", "2001:db8::/32"] : [],
            days: conditional && random.chance(30) ? weekdays.filter { _ in random.chance(50) } : [],
            hours: conditional && random.chance(30) ? hours(&random) : nil,
            reason: conditional && !isDeny && random.chance(40), approver: conditional && !isDeny && random.chance(30))
    }

    private static func hours(_ random: inout SeededGenerator) -> (Int, Int) {
        let from = Int.random(in: 0..<24, using: &random)
        return (from, (from + Int.random(in: 1..<24, using: &random)) % 24)
    }

    private static func glob(_ random: inout SeededGenerator) -> String {
        var parts: [String] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let part = globSegments.randomElement(using: &random) ?? "a"
            guard part != "**" || (parts.last != "**" && parts.count { $0 == "**" } < 3) else { continue }
            parts.append(part)
        }
        return parts.joined(separator: "/")
    }

    // MARK: As a file

    var yaml: String {
        var text = "version: 1\nprincipals:\n"
        for number in 0..<4 { text += "  p\(number): { admin_key: k\(number) }\n" }
        text += "groups:\n"
        for (name, members) in groups.sorted(by: { $0.key < $1.key }) { text += "  \(name): \(list(members))\n" }
        text += "rules:\n"
        for rule in rules {
            text +=
                "  - id: \(rule.id)\n    \(rule.isDeny ? "deny" : "allow"): \(list(rule.actions))\n    to: \(list(rule.to))\n"
            if !rule.on.isEmpty { text += "    on: \(list(rule.on))\n" }
            var when: [String] = []
            if !rule.networks.isEmpty { when.append("networks: \(list(rule.networks))") }
            var time = rule.days.isEmpty ? [] : ["days: \(list(rule.days))"]
            if let hours = rule.hours { time.append("from: \"\(clock(hours.from))\", to: \"\(clock(hours.to))\"") }
            if !time.isEmpty { when.append("time: { \(time.joined(separator: ", ")) }") }
            if rule.reason { when.append("reason: true") }
            if rule.approver { when.append("second_approver: true") }
            if !when.isEmpty { text += "    when: { \(when.joined(separator: ", ")) }\n" }
        }
        return text
    }

    private func list(_ items: [String]) -> String { "[" + items.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }

    private func clock(_ hour: Int) -> String { hour < 10 ? "0\(hour):00" : "\(hour):00" }

    func parse() throws -> Policy { try Policy.parse(yaml, file: "random.yaml") }

    // MARK: Random questions

    static func path(_ random: inout SeededGenerator) -> SecretPath {
        let parts = (0..<Int.random(in: 1...5, using: &random)).map { _ in segments.randomElement(using: &random) ?? "a"
        }
        guard let path = try? SecretPath(parts.joined(separator: "/")) else { preconditionFailure("a bad path") }
        return path
    }

    static func context(_ random: inout SeededGenerator) -> AccessContext {
        AccessContext(
            time: Timestamp(seconds: Int64.random(in: -2_000_000...2_000_000_000, using: &random)),
            address: random.chance(80) ? addresses.randomElement(using: &random) : nil,
            reason: random.chance(50) ? "ticket 7" : random.chance(50) ? "  " : nil,
            approver: random.chance(50) ? PrincipalID("p\(Int.random(in: 0..<4, using: &random))") : nil)
    }

    func principal(_ random: inout SeededGenerator) -> String { "p\(Int.random(in: 0..<5, using: &random))" }

    // MARK: What it decides

    func matching(_ request: AccessRequest) -> [Rule] {
        rules.filter { names(request.principal.name, $0) && covers(request, $0) }
    }

    func decide(_ request: AccessRequest) -> (isAllowed: Bool, rule: String?) {
        let applying = matching(request).filter { holds($0, request) }
        if let deny = applying.first(where: \.isDeny) { return (false, deny.id) }
        if let allow = applying.first { return (true, allow.id) }
        return (false, nil)
    }

    /// The first rule that would have allowed the request but for its conditions, where none applies.
    func missed(_ request: AccessRequest) -> Rule? {
        decide(request).rule == nil ? matching(request).first { !$0.isDeny } : nil
    }

    private func names(_ principal: String, _ rule: Rule) -> Bool {
        guard ["p0", "p1", "p2", "p3"].contains(principal) else { return false }
        return rule.to.contains { entry in
            entry == "all" || entry == principal || (groups[String(entry.dropFirst())] ?? []).contains(principal)
        }
    }

    private func covers(_ request: AccessRequest, _ rule: Rule) -> Bool {
        guard rule.actions.contains(request.action.rawValue) || rule.actions.contains("all") else { return false }
        if request.action.isGatewayWide { return rule.on.isEmpty || rule.on.contains("**") }
        guard let path = request.path else { return false }
        return rule.on.contains { Self.matches($0.split(separator: "/")[...], path.segments[...]) }
    }

    static func matches(_ glob: ArraySlice<Substring>, _ path: ArraySlice<Substring>) -> Bool {
        guard let head = glob.first else { return path.isEmpty }
        if head == "**" {
            return (path.startIndex...path.endIndex).contains { matches(glob.dropFirst(), path[$0...]) }
        }
        guard let segment = path.first else { return false }
        let fits = head == "*" || wildcard(Array(head)[...], Array(segment)[...])
        return fits && matches(glob.dropFirst(), path.dropFirst())
    }

    private static func wildcard(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        guard let head = pattern.first else { return text.isEmpty }
        if head == "*" {
            return (text.startIndex...text.endIndex).contains { wildcard(pattern.dropFirst(), text[$0...]) }
        }
        return text.first == head && wildcard(pattern.dropFirst(), text.dropFirst())
    }

    func holds(_ rule: Rule, _ request: AccessRequest) -> Bool {
        let context = request.context
        if rule.reason, context.reason != "ticket 7" { return false }
        if rule.approver, context.approver == nil || context.approver == request.principal { return false }
        if !rule.networks.isEmpty {
            let inside = ["10.0.0.1", "10.9.9.9", "::ffff:10.0.0.1", "2001:db8::5"]
            // A deny whose networks cannot be checked applies; an allow does not.
            let isKnown = context.address != nil && context.address != "junk"
            guard isKnown ? inside.contains(context.address ?? "") : rule.isDeny else { return false }
        }
        guard !rule.days.isEmpty || rule.hours != nil else { return true }
        // Shifted by a whole number of weeks, so that the division is of positive numbers.
        let hours = Int(context.time.microseconds / 1_000_000 + 7 * 86_400 * 10_000) / 3_600
        let window = rule.hours ?? (0, 24)
        func isDay(_ day: Int) -> Bool { rule.days.isEmpty || rule.days.contains(Self.weekdays[day % 7]) }
        let (day, hour) = (hours / 24, hours % 24)
        if window.from < window.to { return isDay(day) && (window.from..<window.to).contains(hour) }
        return hour >= window.from ? isDay(day) : hour < window.to && isDay(day - 1)
    }
}
