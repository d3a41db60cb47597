// Writes JSON objects: secrets go from their bytes into the text, without a string in between.

public import NIOCore
public import PosternProtocol

/// A JSON object (RFC 8259 §4) under construction. Members are written in the order in which they are set.
public struct JSONObject: Sendable {
    private var buffer = ByteBuffer()

    /// Makes an object without members.
    public init() {}

    /// The object's text.
    public var body: ByteBuffer {
        var body = buffer
        if body.readableBytes == 0 { body.writeStaticString("{") }
        body.writeStaticString("}")
        return body
    }

    /// Sets a member to a text.
    public mutating func set(_ name: String, _ value: String) {
        start(name)
        JSONStrings.append(value.utf8, to: &buffer)
    }

    /// Sets a member to a text that is secret: its UTF-8.
    public mutating func set(_ name: String, _ value: SecretBytes) {
        start(name)
        value.withUnsafeBytes { JSONStrings.append($0, to: &buffer) }
    }

    /// Sets a member to the base64 (RFC 4648 §4) of bytes.
    public mutating func set(_ name: String, base64 bytes: UnsafeRawBufferPointer) {
        start(name)
        buffer.writeStaticString("\"")
        Base64.append(bytes, to: &buffer)
        buffer.writeStaticString("\"")
    }

    /// Sets a member to the base64 (RFC 4648 §4) of bytes.
    public mutating func set(_ name: String, base64 bytes: [UInt8]) {
        bytes.withUnsafeBytes { set(name, base64: $0) }
    }

    /// Sets a member to the base64 (RFC 4648 §4) of secret bytes.
    public mutating func set(_ name: String, base64 bytes: SecretBytes) {
        bytes.withUnsafeBytes { set(name, base64: $0) }
    }

    /// Sets a member to a whole number.
    public mutating func set(_ name: String, _ value: Int) {
        start(name)
        buffer.writeString(String(value))
    }

    /// Sets a member to an array of texts.
    public mutating func set(_ name: String, _ values: [String]) {
        start(name)
        buffer.writeStaticString("[")
        for (place, value) in values.enumerated() {
            if place > 0 { buffer.writeStaticString(",") }
            JSONStrings.append(value.utf8, to: &buffer)
        }
        buffer.writeStaticString("]")
    }

    /// Sets a member to another object.
    public mutating func set(_ name: String, _ value: JSONObject) {
        start(name)
        buffer.writeImmutableBuffer(value.body)
    }

    private mutating func start(_ name: String) {
        buffer.writeStaticString(buffer.readableBytes == 0 ? "{" : ",")
        JSONStrings.append(name.utf8, to: &buffer)
        buffer.writeStaticString(":")
    }
}
