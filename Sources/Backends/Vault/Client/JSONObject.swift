// Builds JSON request bodies: secrets go from their bytes into the body, without a string in between.

import NIOCore
import PosternCoding
import PosternProtocol

/// A JSON object under construction.
struct JSONObject {
    private var buffer = ByteBuffer()

    /// The object's text.
    var body: ByteBuffer {
        var body = buffer
        if body.readableBytes == 0 { body.writeStaticString("{") }
        body.writeStaticString("}")
        return body
    }

    mutating func set(_ name: String, _ value: String) {
        start(name)
        JSONStrings.append(value.utf8, to: &buffer)
    }

    mutating func set(_ name: String, _ value: SecretBytes) {
        start(name)
        value.withUnsafeBytes { JSONStrings.append($0, to: &buffer) }
    }

    /// Sets a member to the base64 of bytes.
    mutating func set(_ name: String, base64 bytes: UnsafeRawBufferPointer) {
        start(name)
        buffer.writeStaticString("\"")
        Base64.append(bytes, to: &buffer)
        buffer.writeStaticString("\"")
    }

    private mutating func start(_ name: String) {
        buffer.writeStaticString(buffer.readableBytes == 0 ? "{" : ",")
        JSONStrings.append(name.utf8, to: &buffer)
        buffer.writeStaticString(":")
    }
}
