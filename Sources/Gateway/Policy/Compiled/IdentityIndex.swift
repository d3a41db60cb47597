// From what a caller proved to the principal the policy makes of it.

/// The selectors of a policy, by kind.
struct IdentityIndex: Sendable {
    private var owners: [Selector: PrincipalID] = [:]

    init(_ source: PolicySource) {
        for principal in source.principals {
            for selector in principal.selectors { owners[selector] = principal.id }
        }
    }

    func principal(for credential: Credential) -> PrincipalID? {
        switch credential {
        case .adminKey(let name): owners[.adminKey(name)]
        case .certificate(let certificate):
            owners[.fingerprint(certificate.fingerprint)]
                ?? certificate.spiffeID.flatMap(principal(spiffeID:))
                ?? certificate.dnsNames.lazy.compactMap { owners[.dns($0.lowercased())] }.first
                ?? certificate.commonName.flatMap { owners[.commonName($0)] }
        }
    }

    private func principal(spiffeID: String) -> PrincipalID? {
        if let owner = owners[.spiffe(spiffeID)] { return owner }
        var rest = spiffeID[...]
        // Prefixes end with a slash, so only the ID's own slashes are tried, the longest prefix first.
        while let slash = rest.lastIndex(of: "/") {
            let prefix = String(rest[...slash])
            // The prefix alone names nobody below it.
            if prefix != spiffeID, let owner = owners[.spiffePrefix(prefix)] { return owner }
            rest = rest[..<slash]
        }
        return nil
    }
}
