// Writes JSON answers, members in the order in which they are written. Secret bytes go straight into the buffer
// that NIO sends. That buffer, and the copies that TLS makes of it, are released but not wiped.

import Hummingbird
import NIOCore
import PosternCoding
import PosternProtocol

/// A writer of one JSON text.
struct AnswerJSON {
    private var buffer = ByteBuffer()
    private var needsComma = false

    /// The text and a line break, so that it reads well in a terminal.
    var line: ByteBuffer {
        var line = buffer
        line.writeInteger(UInt8(ascii: "\n"))
        return line
    }

    /// A JSON answer of this text.
    func response(status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: line))
    }

    mutating func object(_ members: (inout AnswerJSON) -> Void) {
        open("{")
        members(&self)
        close("}")
    }

    mutating func array<Element>(_ elements: some Sequence<Element>, _ write: (inout AnswerJSON, Element) -> Void) {
        open("[")
        for element in elements { write(&self, element) }
        close("]")
    }

    mutating func name(_ name: String) {
        separate()
        JSONStrings.append(name.utf8, to: &buffer)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        JSONStrings.append(text.utf8, to: &buffer)
    }

    mutating func value(_ number: some FixedWidthInteger) {
        separate()
        buffer.writeString(String(number))
    }

    mutating func value(_ truth: Bool) {
        separate()
        buffer.writeStaticString(truth ? "true" : "false")
    }

    /// Bytes as text if they are UTF-8, else as `{"base64": "…"}`.
    mutating func value(_ secret: SecretBytes) {
        secret.withUnsafeBytes { bytes in
            guard !JSONReader.isUTF8(bytes) else {
                separate()
                return JSONStrings.append(bytes, to: &buffer)
            }
            object { json in
                json.name("base64")
                json.buffer.writeInteger(UInt8(ascii: "\""))
                Base64.append(bytes, to: &json.buffer)
                json.buffer.writeInteger(UInt8(ascii: "\""))
                json.needsComma = true
            }
        }
    }

    /// JSON that is already written.
    mutating func value(json: [UInt8]) {
        separate()
        buffer.writeBytes(json)
    }

    mutating func null() {
        separate()
        buffer.writeStaticString("null")
    }

    mutating func member(_ name: String, _ text: String) {
        self.name(name)
        value(text)
    }

    mutating func member(_ name: String, _ number: some FixedWidthInteger) {
        self.name(name)
        value(number)
    }

    mutating func member(_ name: String, _ truth: Bool) {
        self.name(name)
        value(truth)
    }

    mutating func member(_ name: String, _ text: String?) {
        self.name(name)
        if let text { value(text) } else { null() }
    }

    /// Labels, ordered by name.
    mutating func member(_ name: String, _ labels: [String: String]) {
        self.name(name)
        object { json in
            for (name, value) in labels.sorted(by: { $0.key < $1.key }) { json.member(name, value) }
        }
    }

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: StaticString) {
        separate()
        buffer.writeStaticString(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        buffer.writeStaticString(bracket)
        needsComma = true
    }
}
