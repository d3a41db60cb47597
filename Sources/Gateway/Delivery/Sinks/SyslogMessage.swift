// Syslog messages (RFC 5424) in frames with their length in front (RFC 6587 §3.4.1, RFC 5425 §4.3).
//
// The text is UTF-8 without the byte order mark of §6.4: receivers take it for part of the JSON.

import Glibc
import NIOCore
import PosternAudit
import PosternProtocol
import TransparencyLog

struct SyslogMessage {
    /// The log audit facility (§6.2.1).
    private static let facility = 13

    let form: RecordForm
    let hostname: String
    let structuredDataID: String

    /// Appends a record as a frame.
    func appendFrame(_ record: DeliveredRecord, to buffer: inout ByteBuffer) {
        var message = ByteBuffer()
        append(record, to: &message)
        buffer.writeString("\(message.readableBytes) ")
        buffer.writeImmutableBuffer(message)
    }

    private func append(_ delivered: DeliveredRecord, to buffer: inout ByteBuffer) {
        let record = delivered.record
        let header = [
            "<\(Self.facility * 8 + record.weight.syslog)>1", record.time.description,
            Self.word(hostname, limit: 255), "postern", String(getpid()), Self.word(record.action, limit: 32),
        ]
        buffer.writeString(header.joined(separator: " "))
        buffer.writeString(
            " [\(structuredDataID) index=\"\(delivered.index)\" origin=\"\(Self.escaped(delivered.origin))\""
                + " leaf=\"\(delivered.leafHash.base64)\"] ")
        form.format.append(delivered, from: form.product, to: &buffer)
    }

    /// A header field: visible ASCII, or the nil value.
    private static func word(_ text: String, limit: Int) -> String {
        let word = String(decoding: text.utf8.filter { (0x21...0x7E).contains($0) }.prefix(limit), as: UTF8.self)
        return word.isEmpty ? "-" : word
    }

    /// A parameter's value (§6.3.3).
    static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "\\" || scalar == "\"" || scalar == "]" { result.append("\\") }
            result.append(scalar)
        }
        return String(result)
    }
}
