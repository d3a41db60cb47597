// How records are put together in the body of a request.

import NIOCore
import PosternAudit
import PosternCoding
import PosternProtocol

extension WebhookOptions.Body {
    /// The body's media type.
    func mediaType(of format: RecordFormat) -> String {
        switch self {
        case .lines where !format.isJSON: "text/plain; charset=utf-8"
        case .lines, .bulk: "application/x-ndjson"
        case .array, .splunk: "application/json"
        }
    }

    /// The body for records. What is not JSON becomes a JSON string where JSON is wanted.
    func bytes(of records: [DeliveredRecord], form: RecordForm) -> ByteBuffer {
        var buffer = ByteBuffer()
        if self == .array { buffer.writeStaticString("[") }
        for (place, record) in records.enumerated() {
            switch self {
            case .lines:
                form.format.append(record, from: form.product, to: &buffer)
                buffer.writeStaticString("\n")
            case .array:
                if place > 0 { buffer.writeStaticString(",") }
                append(record, as: form, to: &buffer)
            case .splunk:
                let milliseconds = record.record.time.microseconds / 1_000
                let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
                buffer.writeString("{\"time\":\(milliseconds / 1_000).\(fraction),\"source\":")
                JSONStrings.append(record.origin.utf8, to: &buffer)
                buffer.writeString(",\"sourcetype\":\"postern:\(form.format.rawValue)\",\"event\":")
                append(record, as: form, to: &buffer)
                buffer.writeStaticString("}\n")
            case .bulk:
                // An id of its own makes a record that comes twice one document.
                buffer.writeStaticString("{\"create\":{\"_id\":")
                JSONStrings.append(OCSFFormat.uid(record.index, of: record.origin).utf8, to: &buffer)
                buffer.writeStaticString("}}\n")
                if form.format.isJSON {
                    append(record, as: form, to: &buffer)
                } else {
                    buffer.writeStaticString("{\"message\":")
                    append(record, as: form, to: &buffer)
                    buffer.writeStaticString("}")
                }
                buffer.writeStaticString("\n")
            }
        }
        if self == .array { buffer.writeStaticString("]") }
        return buffer
    }

    private func append(_ record: DeliveredRecord, as form: RecordForm, to buffer: inout ByteBuffer) {
        guard !form.format.isJSON else {
            form.format.append(record, from: form.product, to: &buffer)
            return
        }
        var text = ByteBuffer()
        form.format.append(record, from: form.product, to: &text)
        JSONStrings.append(text.readableBytesView, to: &buffer)
    }

    /// What is wrong with an answer that says that all is well, or nil.
    func problem(inAnswer answer: ByteBuffer) -> String? {
        guard self == .bulk else { return nil }
        var refused: Int?
        var count = 0
        do throws(SecretError) {
            try answer.withUnsafeReadableBytes { (bytes) throws(SecretError) in
                try JSONReader.read(bytes) { (reader, name) throws(SecretError) in
                    guard name == "items" else {
                        _ = try reader.raw(name)
                        return
                    }
                    try reader.array(name) { (reader) throws(SecretError) in
                        count += 1
                        let status = try Self.status(ofItem: &reader)
                        // 409: it is there already.
                        if !(200..<300).contains(status), status != 409 { refused = refused ?? status }
                    }
                }
            }
        } catch {
            return "its answer is none of a bulk API: \(error.message)"
        }
        if let refused { return "it refused a record with status \(refused)" }
        return count == 0 ? "its answer says nothing of any record" : nil
    }

    private static func status(ofItem reader: inout JSONReader) throws(SecretError) -> Int {
        var status = 0
        try reader.object("An item") { (reader, _) throws(SecretError) in
            try reader.object("An item's result") { (reader, name) throws(SecretError) in
                if name == "status" { status = try reader.integer(name) } else { _ = try reader.raw(name) }
            }
        }
        return status
    }
}
