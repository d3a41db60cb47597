// The key register for people.

import PosternProtocol

extension KeyRegister {
    /// Tables of key-encryption keys and of domain keys.
    var text: String {
        let keks = keks.map { kek in
            [
                kek.id, kek.algorithm, kek.origin, kek.configured ? "yes" : "no", String(kek.wraps),
                Self.date(kek.firstSeen), Self.date(kek.rotatedAt), Self.date(kek.retiredAt),
                kek.verified.map { $0 ? "ok \(Self.date(kek.verifiedAt))" : "FAILED \(Self.date(kek.verifiedAt))" }
                    ?? "-",
            ]
        }
        let keys = domains.flatMap { domain in
            domain.keys.map { key in
                [
                    domain.name, String(key.version), key.state.rawValue, Self.date(key.createdAt),
                    Self.date(key.supersededAt), Self.date(key.retiredAt), Self.date(key.destroyedAt),
                    key.state == .active ? Self.date(domain.nextRotation) : "-",
                    key.wraps.isEmpty ? "-" : key.wraps.map(\.kek).joined(separator: " "),
                ]
            }
        }
        let waiting = domains.compactMap { domain -> String? in
            guard let destruction = domain.destruction else { return nil }
            guard let done = destruction.approvedAt else {
                return "domain \(domain.name): \(destruction.requestedBy) asked for its key to be destroyed; another "
                    + "principal may approve until \(destruction.expiresAt)"
            }
            return
                "domain \(domain.name): key destroyed at \(done), asked for by \(destruction.requestedBy), approved by "
                + (destruction.approvedBy ?? "nobody")
        }
        let tables = [
            columns(
                [
                    [
                        "KEK", "ALGORITHM", "ORIGIN", "CONFIGURED", "WRAPS", "FIRST SEEN", "REWRAPPED", "RETIRED",
                        "VERIFIED",
                    ]
                ]
                    + keks),
            columns(
                [
                    [
                        "DOMAIN", "VERSION", "STATE", "CREATED", "SUPERSEDED", "RETIRED", "DESTROYED", "NEXT ROTATION",
                        "UNDER",
                    ]
                ] + keys),
        ]
        return (tables + (waiting.isEmpty ? [] : [waiting.joined(separator: "\n")])).joined(separator: "\n\n")
    }

    /// To the second.
    private static func date(_ time: Timestamp?) -> String {
        time.map { $0.description.prefix(19) + "Z" } ?? "-"
    }
}
