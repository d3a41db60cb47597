// The encoding of `-bin` headers: base64 sent without padding, accepted with or without
// (gRPC over HTTP/2, "Binary-Header").

import Foundation

/// Encodes and decodes binary header values.
enum BinaryHeader {
    /// Encodes as base64 without padding.
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var encoded = Array(Data(bytes).base64EncodedData())
        while encoded.last == UInt8(ascii: "=") { encoded.removeLast() }
        return encoded
    }

    /// Decodes base64.
    /// - Returns: nil if the text is not base64.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var padded = Data(text)
        if !padded.contains(UInt8(ascii: "=")) {
            while padded.count % 4 != 0 { padded.append(UInt8(ascii: "=")) }
        }
        return Data(base64Encoded: padded).map(Array.init)
    }
}
