import Foundation
import PosternAudit
import PosternProtocol
import Testing

/// An independent canonicaliser: parses with Foundation, sorts by UTF-16, escapes by RFC 8785's table.
private func canonical(_ value: Any) -> String {
    switch value {
    case let object as [String: Any]:
        let keys = object.keys.sorted { Array($0.utf16).lexicographicallyPrecedes(Array($1.utf16)) }
        return "{" + keys.map { quoted($0) + ":" + canonical(object[$0]!) }.joined(separator: ",") + "}"
    case let array as [Any]: return "[" + array.map(canonical).joined(separator: ",") + "]"
    case let text as String: return quoted(text)
    case let number as NSNumber: return number.stringValue
    default: return "null"
    }
}

private func quoted(_ text: String) -> String {
    let short: [UInt32: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: "\\\"", 92: "\\\\"]
    let body = text.unicodeScalars.map { scalar in
        short[scalar.value] ?? (scalar.value < 32 ? String(format: "\\u%04x", scalar.value) : String(scalar))
    }
    return "\"" + body.joined() + "\""
}

@Suite struct AuditRecordTests {
    static let texts: [String] =
        (0..<0x80).map { "a\(Unicode.Scalar(UInt8($0)))b" } + [
            "", "plain", "\"\\\"\\", "\r\n", "e\u{301}é", "\u{2028}\u{2029}", "a\u{FEFF}b", "\u{FFFD}",
            "😀 𝄞 \u{10FFFF}",
            "\u{0}\u{1F}\u{7F}\u{80}", "/", String(repeating: "long ", count: 1_000),
        ]

    static func full(_ text: String) -> AuditRecord {
        AuditRecord(
            time: Timestamp(microseconds: 1_795_507_200_000_001), requestID: text, traceID: text,
            actor: AuditRecord.Actor(principal: text, authentication: text, credential: text, address: text),
            action: text, path: text, version: 12, fields: [text, "other", text], decision: .deny, rule: text,
            phase: .attempt, outcome: text, reason: text, ticket: text, approver: text, servedFrom: text,
            ageMilliseconds: 0,
            // In UTF-16 a surrogate sorts before U+E000 and above; in UTF-8 it would come after.
            detail: [text: text, "z": "1", "a": "2", "\u{FB33}": "3", "😀": "4", "\u{20AC}": "5", "aa": "6"])
    }

    @Test(arguments: texts) func `a record is what an independent canonicaliser makes of it`(text: String) throws {
        let bytes = json(Self.full(text))
        let parsed = try JSONSerialization.jsonObject(with: Data(bytes))
        #expect(canonical(parsed) == String(decoding: bytes, as: UTF8.self))
        let object = try #require(parsed as? [String: Any])
        #expect(object["reason"] as? String == text)
        #expect((object["actor"] as? [String: String])?["principal"] == text)
        #expect((object["detail"] as? [String: String])?[text] == text)
    }

    @Test(arguments: texts) func `a record reads back as what was written`(text: String) throws {
        #expect(try AuditRecord(json: json(Self.full(text))) == Self.full(text))
        let least = AuditRecord(
            time: Timestamp(microseconds: 0), requestID: text, actor: AuditRecord.Actor(), action: text,
            decision: .allow)
        #expect(try AuditRecord(json: json(least)) == least)
    }

    @Test(arguments: [
        ("\"v\":1", "\"v\":2,\"later\":{\"a\":[1.5,null]}", true), ("\"phase\":\"outcome\"", "\"phase\":\"x\"", false),
        ("\"time\"", "\"tame\"", false), ("\"age_ms\":0", "\"age_ms\":0.5", false),
        ("{\"action\"", "[{\"action\"", false),
        ("\"path\":\"p\"", "\"path\":null", false), ("\"path\":\"p\"", "\"path\":\"p\",\"path\":\"q\"", false),
    ])
    func `a record of a later version reads back too, and a damaged one is refused`(
        old: String, new: String, isRead: Bool
    ) throws {
        var record = Self.full("p")
        record.phase = .outcome
        let text = String(decoding: json(record), as: UTF8.self)
        try #require(text.contains(old))
        let changed = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
        if isRead {
            #expect(try AuditRecord(json: changed) == record)
        } else {
            let error = #expect(throws: SecretError.self) { try AuditRecord(json: changed) }
            #expect(error?.code == .integrityFailure)
        }
    }

    @Test func `every member is there under its documented name`() {
        #expect(
            String(decoding: json(Self.full("x")), as: UTF8.self)
                == #"{"action":"x","actor":{"address":"x","authentication":"x","credential":"x","principal":"x"},"#
                + #""age_ms":0,"approver":"x","decision":"deny","detail":{"a":"2","aa":"6","x":"x","z":"1","#
                + "\"\u{20AC}\":\"5\",\"😀\":\"4\",\"\u{FB33}\":\"3\"},"
                + #""fields":["x","other","x"],"outcome":"x","path":"x","phase":"attempt","reason":"x","#
                + #""request_id":"x","rule":"x","served_from":"x","ticket":"x","time":"2026-11-24T08:00:00.000001Z","#
                + #""trace_id":"x","v":1,"version":12}"#)
    }

    @Test func `what is absent is left out`() {
        let bare = AuditRecord(
            time: Timestamp(seconds: 0), requestID: "1", actor: AuditRecord.Actor(), action: "a", decision: .allow)
        #expect(
            String(decoding: json(bare), as: UTF8.self)
                == #"{"action":"a","actor":{"authentication":"none"},"decision":"allow","phase":"outcome","#
                + #""request_id":"1","time":"1970-01-01T00:00:00.000000Z","v":1}"#)
    }

    @Test(arguments: [
        (0, "0"), (-1, "-1"), (10, "10"), (9_007_199_254_740_991, "9007199254740991"),
        (Int.max, "9007199254740991"), (Int.min, "-9007199254740991"),
    ]) func `numbers stay within what every JSON reader keeps`(number: Int, text: String) {
        var sample = record("1")
        sample.version = number
        #expect(String(decoding: json(sample), as: UTF8.self).hasSuffix(#","version":\#(text)}"#))
    }

    @Test func `no control byte ever gets into a record`() {
        for text in Self.texts { #expect(!json(Self.full(text)).contains { $0 < 0x20 }) }
    }
}
