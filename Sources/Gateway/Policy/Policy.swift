// The policy: what the gateway asks before it does anything for anybody.

import PosternProtocol

/// A policy, parsed, validated and compiled. Immutable and cheap to share and copy.
///
/// How a request is decided:
/// - A rule matches if it names the principal, the action and the path. It applies if its conditions,
///   where it has any, all hold. That goes for deny rules too: a deny rule with conditions denies only
///   while they hold.
/// - Where the caller's address is not known, `networks` fails closed: it does not hold for an allow rule,
///   and does for a deny rule.
/// - If a deny rule applies, the request is denied. Else if an allow rule applies, it is allowed.
///   Else it is denied. Of several rules of the deciding effect, the first in the file is reported.
/// - Gateway-wide actions have no path. They are covered by rules without `on` and by rules with the
///   glob `**`; `all` on narrower globs does not include them.
/// - Paths reserved for Postern (`.postern…`) are matched by no rule.
public struct Policy: Sendable {
    let compiled: CompiledPolicy

    init(_ source: PolicySource) {
        compiled = CompiledPolicy(source)
    }

    /// Reads a policy file, version 1.
    /// - Parameters:
    ///   - yaml: the file's text, at most 4 MiB.
    ///   - file: the file's name, for messages.
    /// - Throws: all problems found, each with its line. A YAML syntax error or a repeated key hides what
    ///   else there may be.
    public static func parse(_ yaml: String, file: String) throws(PolicyProblems) -> Policy {
        let log = ProblemLog(file: file)
        var reader = PolicyReader(log)
        if let root = YAMLSource.compose(yaml, log) { reader.read(root) }
        try log.throwIfAny()
        return Policy(reader.source)
    }

    /// The principal that a credential stands for, or nil if the policy knows none.
    ///
    /// The most specific selector wins: fingerprint, exact SPIFFE ID, longest SPIFFE prefix, DNS name (the
    /// certificate's first that is known), common name.
    /// - Parameter credential: what the caller was authenticated by.
    public func principal(for credential: Credential) -> PrincipalID? {
        compiled.identities.principal(for: credential)
    }

    /// Decides a request, in well under a microsecond.
    /// - Parameter request: who wants what. A principal that the policy does not know is denied.
    public func decide(_ request: AccessRequest) -> Decision {
        var search = DecisionSearch(request, compiled.source.rules)
        compiled.match(request, &search)
        return search.decision()
    }

    /// The principals the policy knows, in the file's order.
    public var principals: [PrincipalID] { compiled.source.principals.map(\.id) }

    /// How many rules there are.
    public var ruleCount: Int { compiled.source.rules.count }
}
