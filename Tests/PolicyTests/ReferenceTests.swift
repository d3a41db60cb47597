import PosternPolicy
import PosternProtocol
import Testing

@Suite struct ReferenceTests {
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `deciding, explaining and a plain reading of the rules agree on random policies`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var allowed = 0
        var denied = 0
        var missed = 0
        for _ in 0..<100 {
            let model = RandomPolicy(&random)
            let policy = try model.parse()
            for _ in 0..<40 {
                let action = [Action.read, .list, .write, .destroy, .readAudit, .explainPolicy].randomElement(
                    using: &random)
                let request = AccessRequest(
                    principal: PrincipalID(model.principal(&random)), action: action ?? .read,
                    path: random.chance(95) ? RandomPolicy.path(&random) : nil, context: RandomPolicy.context(&random))
                let decision = policy.decide(request)
                let expected = model.decide(request)
                let note: Comment = "seed \(seed): \(request) in\n\(model.yaml)"
                #expect(decision.isAllowed == expected.isAllowed, note)
                #expect(decision.ruleID == expected.rule, note)
                #expect(decision.unmet.isEmpty == (model.missed(request) == nil), note)

                let explanation = policy.explain(request)
                #expect(explanation.allowed == decision.isAllowed, note)
                #expect(explanation.rule == decision.ruleID && explanation.unmet == decision.unmet, note)
                #expect(explanation.rules.map(\.id) == model.matching(request).map(\.id), note)
                // What the explanation says of each rule must lead to the decision by itself.
                let applying = explanation.rules.filter(\.applies)
                let decider = applying.first { $0.effect == "deny" } ?? applying.first
                #expect(
                    decider?.id == decision.ruleID
                        && explanation.rules.filter(\.decided).map(\.id) == [decider?.id].compactMap(\.self), note)
                #expect(request.action.isGatewayWide || explanation.rules.allSatisfy { !$0.globs.isEmpty }, note)

                if expected.isAllowed { allowed += 1 } else if expected.rule != nil { denied += 1 } else { missed += 1 }
            }
        }
        // The random policies are worth the name only if they decide in all ways.
        #expect(allowed > 200 && denied > 200 && missed > 200)
    }
}
