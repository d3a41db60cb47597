// What must hold beside principal, action and path for a rule to apply.
//
// Where the caller's address is not known, `networks` fails closed: an allow rule's does not hold, a deny rule's does.

import PosternProtocol

/// A rule's `when`. All parts must hold.
struct Conditions: Hashable, Sendable {
    /// Any of these; empty for "from anywhere".
    var networks: [Network] = []
    var time: TimeWindow?
    var needsReason = false
    var needsApprover = false

    /// Whether nothing is asked for.
    var isEmpty: Bool { networks.isEmpty && time == nil && !needsReason && !needsApprover }

    /// Whether all of this holds for a rule of some effect.
    func hold(for effect: Effect, in circumstances: inout Circumstances) -> Bool {
        if needsReason && !circumstances.hasReason { return false }
        if needsApprover && !circumstances.hasApprover { return false }
        if let time, !time.contains(circumstances.context.time) { return false }
        return networks.isEmpty || contains(circumstances.address, effect)
    }

    /// An unknown address might be one of those that a deny rule is about, and none of those an allow rule asks for.
    private func contains(_ address: IPAddress?, _ effect: Effect) -> Bool {
        guard let address else { return effect == .deny }
        return networks.contains { $0.contains(address) }
    }

    /// Each condition with whether it holds for a rule of some effect, and the sentence for when it does not.
    func results(for effect: Effect, in circumstances: inout Circumstances) -> [Result] {
        var results: [Result] = []
        if !networks.isEmpty {
            let wanted = networks.map(\.text).joined(separator: ", ")
            let given = circumstances.context.address
            results.append(
                Result(
                    name: "networks \(wanted)", held: contains(circumstances.address, effect),
                    unmet: given.map { "the address \($0) is not in \(wanted)" }
                        ?? "the address is not known, and must be in \(wanted)"))
        }
        if let time {
            results.append(
                Result(
                    name: "time \(time)", held: time.contains(circumstances.context.time),
                    unmet: "the time is outside \(time)"))
        }
        if needsReason {
            results.append(Result(name: "reason", held: circumstances.hasReason, unmet: "a reason is required"))
        }
        if needsApprover {
            results.append(
                Result(
                    name: "second_approver", held: circumstances.hasApprover, unmet: "a second approver is required"))
        }
        return results
    }

    /// The conditions in words, for the matrix.
    var names: [String] {
        var names: [String] = []
        if !networks.isEmpty { names.append("networks \(networks.map(\.text).joined(separator: ", "))") }
        if let time { names.append("time \(time)") }
        if needsReason { names.append("reason") }
        if needsApprover { names.append("second_approver") }
        return names
    }

    /// One condition, evaluated.
    struct Result {
        let name: String
        let held: Bool
        let unmet: String
    }
}

/// A request's context as conditions see it. The address is parsed when first asked for, and once.
struct Circumstances {
    let context: AccessContext
    let principal: PrincipalID
    private var parsed: IPAddress??

    init(_ context: AccessContext, of principal: PrincipalID) {
        self.context = context
        self.principal = principal
    }

    var address: IPAddress? {
        mutating get {
            if let parsed { return parsed }
            let address = context.address.flatMap(IPAddress.init)
            parsed = .some(address)
            return address
        }
    }

    var hasReason: Bool {
        guard let reason = context.reason else { return false }
        return reason.contains { !$0.isWhitespace }
    }

    /// Nobody approves their own request.
    var hasApprover: Bool {
        guard let approver = context.approver else { return false }
        return approver != principal
    }
}
