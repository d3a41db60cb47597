// Any bytes as a policy file: it compiles, or every problem has a place. What compiles decides without trapping.

import PosternPolicy
import PosternProtocol

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do {
        let policy = try Policy.parse(text, file: "fuzz.yaml")
        guard let path = try? SecretPath("a/b") else { return 0 }
        for principal in policy.principals.prefix(4) {
            for action in Action.allCases {
                let request = AccessRequest(
                    principal: principal, action: action, path: action.isGatewayWide ? nil : path,
                    context: AccessContext(time: Timestamp(seconds: 0), address: "10.0.0.1"))
                precondition(policy.decide(request).isAllowed == policy.explain(request).allowed)
            }
            _ = policy.mayList(
                below: .root, by: principal, context: AccessContext(time: Timestamp(seconds: 0)))
        }
        _ = policy.matrix()
    } catch {
        precondition(!error.problems.isEmpty && error.problems.allSatisfy { $0.line >= 1 && !$0.message.isEmpty })
    }
    return 0
}
