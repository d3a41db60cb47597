// ArcSight's Common Event Format, version 0: seven header fields between pipes, then key=value pairs.
//
// Source: "ArcSight Common Event Format (CEF) Implementation Standard". In the header, `\` and `|` are escaped; in
// values, `\`, `=` and line breaks.

import NIOCore
import PosternAudit
import PosternProtocol
import TransparencyLog

enum CEFFormat {
    static func append(_ delivered: DeliveredRecord, from product: ProductName, to buffer: inout ByteBuffer) {
        let record = delivered.record
        let header = [
            "CEF:0", escapedHeader(product.name), escapedHeader(product.name), escapedHeader(product.version),
            escapedHeader(record.action), escapedHeader(record.summary), String(record.weight.cef),
        ]
        buffer.writeString(header.joined(separator: "|") + "|")
        var separator = ""
        for (key, value) in extensions(delivered) {
            guard let value, !value.isEmpty else { continue }
            buffer.writeString("\(separator)\(key)=\(escapedValue(value))")
            separator = " "
        }
    }

    private static func extensions(_ delivered: DeliveredRecord) -> [(key: String, value: String?)] {
        let record = delivered.record
        let address = address(record.actor.address)
        var pairs: [(key: String, value: String?)] = [
            ("rt", String(record.time.microseconds / 1_000)),
            ("externalId", String(delivered.index)),
            ("deviceExternalId", delivered.origin),
            ("cat", record.phase.rawValue),
            ("act", record.decision.rawValue),
            ("outcome", record.outcome),
            ("suser", record.actor.principal),
            ("suid", record.actor.credential),
            (address.key, address.value),
            ("filePath", record.path),
            ("reason", record.reason),
        ]
        if address.key == "c6a2" { pairs.append(("c6a2Label", "Source IPv6 Address")) }
        let custom = [
            ("cs1", "rule", record.rule), ("cs2", "requestId", record.requestID), ("cs3", "traceId", record.traceID),
            ("cs4", "ticket", record.ticket), ("cs5", "leafHash", delivered.leafHash.base64),
            ("cs6", "other", other(record)), ("cn1", "version", record.version.map { String($0) }),
        ]
        for (key, label, value) in custom where value?.isEmpty == false {
            pairs += [("\(key)Label", label), (key, value)]
        }
        return pairs
    }

    /// What has no key of its own, as JSON.
    private static func other(_ record: AuditRecord) -> String {
        JSONValue.object([
            ("age_ms", JSONValue(record.ageMilliseconds)), ("approver", JSONValue(record.approver)),
            ("authentication", .text(record.actor.authentication)), ("detail", JSONValue(record.detail)),
            ("fields", JSONValue(record.fields)), ("served_from", JSONValue(record.servedFrom)),
        ]).string
    }

    /// `src` is for IPv4 only.
    private static func address(_ text: String?) -> (key: String, value: String?) {
        text?.contains(":") == true ? ("c6a2", text) : ("src", text)
    }

    private static func escapedHeader(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "|": result += "\\\(scalar)"
            case _ where isControl(scalar): result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Every character that some reader takes for a line break becomes `\n`; other control characters, for which the
    /// format has no escape, become spaces.
    private static func escapedValue(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "=": result += "\\\(scalar)"
            case "\r": result += "\\r"
            case "\n", "\u{0B}", "\u{0C}", "\u{85}", "\u{2028}", "\u{2029}": result += "\\n"
            case _ where isControl(scalar): result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar == "\u{2028}" || scalar == "\u{2029}"
    }
}
