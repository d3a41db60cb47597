// Records of every kind that there is, and of the worst kind.

import Foundation
import NIOCore
import PosternAudit
import PosternCore
import PosternDelivery
import PosternProtocol

enum Records {
    static let origin = "gateway-1.example.com/audit"
    static let product = ProductName(version: "1.2.3")

    /// Everything that records can say, for one action.
    static func kinds(of action: String) -> [AuditRecord] {
        let actors = [
            AuditRecord.Actor(
                principal: "billing", authentication: "mtls", credential: String(repeating: "ab", count: 32),
                address: "192.0.2.7"),
            AuditRecord.Actor(
                principal: "operator", authentication: "admin_key", credential: "ops", address: "2001:db8::7"),
            AuditRecord.Actor(principal: "postern", authentication: "none"),
            AuditRecord.Actor(address: "::1"),
            AuditRecord.Actor(authentication: "none", credential: "cd", address: "not an address"),
        ]
        return actors.flatMap { actor -> [AuditRecord] in
            var full = AuditRecord(
                time: Timestamp(microseconds: 1_790_000_000_123_456), requestID: "req-1",
                traceID: "0af7651916cd43dd8448eb211c80319c", actor: actor, action: action, path: "llm/openai",
                version: 3,
                fields: ["key", "endpoint"], decision: .allow, rule: "gateway-reads-llm", outcome: "ok",
                reason: "on call", ticket: "INC-1", approver: "operator", servedFrom: "cache", ageMilliseconds: 12,
                detail: ["domain": "llm", "new_sha256": "ff", "reason": "expired"])
            var attempt = full
            (attempt.phase, attempt.outcome) = (.attempt, nil)
            var failed = full
            failed.outcome = "backend_unavailable"
            let refused = AuditRecord(
                time: full.time, requestID: "req-2", actor: actor, action: action, decision: .deny,
                outcome: "permission_denied")
            full.traceID = nil
            return [full, attempt, failed, refused]
        }
    }

    /// Every action that the gateway records, and one that it does not know yet.
    static let actions =
        PosternCore.Operation.allCases.map(\.rawValue) + ["audit.rotate_key", "audit.prune", "secret.teleport"]

    /// Texts that a form may fall over.
    static let hostile = [
        "a|b=c\\d]e\"f", "line\nbreak\r\nand\ttab", "\u{0}\u{1}\u{1B}[31m\u{7F}\u{85}\u{2028}\u{2029}",
        "Ünïcödé 𝔘 🔑 e\u{301} \u{202E}rtl", "\\", "=|=", "]]>\"\"", "CEF:0|x|y|z|1|n|9|act=allow", "\u{FEFF}bom",
        String(repeating: "\u{10FFFF}", count: 100),
    ]

    static func delivered(_ record: AuditRecord, at index: UInt64 = 7) throws -> DeliveredRecord {
        var json: [UInt8] = []
        record.appendCanonicalJSON(to: &json)
        return try DeliveredRecord(index: index, origin: origin, json: json)
    }

    static var buffer: ByteBuffer { ByteBuffer() }

    static func text(_ record: AuditRecord, as format: RecordFormat, at index: UInt64 = 7) throws -> String {
        var buffer = ByteBuffer()
        format.append(try delivered(record, at: index), from: product, to: &buffer)
        return String(buffer: buffer)
    }
}
