// Who may do what where, for auditors.

/// Everything a policy grants and denies, a row for each principal, action and glob.
public struct AccessMatrix: Sendable, Equatable, Codable {
    /// What some rules say on one principal, action and glob under the same conditions.
    public struct Row: Sendable, Equatable, Codable {
        /// Who.
        public let principal: String
        /// What.
        public let action: String
        /// Where; nil for gateway-wide actions.
        public let glob: String?
        /// `allow` or `deny`; a deny that applies wins over every allow.
        public let effect: String
        /// What must hold; empty for "always". `networks` of a deny also holds while the caller's address is not
        /// known.
        public let conditions: [String]
        /// The ids of the rules that say so, in the file's order.
        public let rules: [String]
    }

    /// The rows, sorted by principal, action (in the order of ``Action``), glob, effect and conditions.
    public let rows: [Row]
}

extension AccessMatrix {
    /// The matrix as an aligned table.
    public var text: String {
        TextTable(header: ["PRINCIPAL", "ACTION", "GLOB", "EFFECT", "CONDITIONS", "RULES"]).text(
            rows.map { row in
                [
                    row.principal, row.action, row.glob ?? "", row.effect, row.conditions.joined(separator: "; "),
                    row.rules.joined(separator: ", "),
                ]
            })
    }
}

extension Policy {
    /// Everything the policy says, spelled out. Its size is principals × actions × globs of all rules.
    public func matrix() -> AccessMatrix {
        var rules: [MatrixKey: [String]] = [:]
        for rule in compiled.source.rules {
            let conditions = rule.conditions?.names ?? []
            for member in compiled.source.members(of: rule) {
                let principal = compiled.source.principals[member].id.name
                func add(_ action: Action, _ glob: String?) {
                    let key = MatrixKey(
                        principal: principal, action: action, glob: glob, effect: rule.effect, conditions: conditions)
                    rules[key, default: []].append(rule.id)
                }
                for action in rule.gatewayActions.actions { add(action, nil) }
                for action in rule.pathActions.actions {
                    for glob in Set(rule.globs) { add(action, glob.text) }
                }
            }
        }
        return AccessMatrix(
            rows: rules.sorted { $0.key.order < $1.key.order }.map { key, ids in
                AccessMatrix.Row(
                    principal: key.principal, action: key.action.rawValue, glob: key.glob, effect: key.effect.rawValue,
                    conditions: key.conditions, rules: ids)
            })
    }
}

/// What makes a row of the matrix.
private struct MatrixKey: Hashable {
    let principal: String
    let action: Action
    let glob: String?
    let effect: Effect
    let conditions: [String]

    var order: (String, UInt16, String, String, String) {
        (principal, action.bit, glob ?? "", effect.rawValue, conditions.joined(separator: "; "))
    }
}
