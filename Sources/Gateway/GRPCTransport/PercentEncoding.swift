// The encoding of `grpc-message` (gRPC over HTTP/2, "Status-Message").

/// Percent-encodes status messages.
enum PercentEncoding {
    /// Encodes every byte outside 0x20–0x7E, and `%`, as `%XX`.
    /// - Parameters:
    ///   - text: what to encode.
    ///   - limit: how many bytes the result may have; the rest is cut off between characters.
    static func encode(_ text: String, limit: Int = 2_048) -> [UInt8] {
        var encoded: [UInt8] = []
        for character in text.unicodeScalars {
            let bytes = UTF8.encode(character)
            let start = encoded.count
            for byte in bytes ?? UTF8.encodedReplacementCharacter {
                if (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "%") {
                    encoded.append(byte)
                } else {
                    encoded.append(UInt8(ascii: "%"))
                    encoded.append(hex(byte >> 4))
                    encoded.append(hex(byte & 15))
                }
            }
            if encoded.count > limit {
                encoded.removeSubrange(start...)
                break
            }
        }
        return encoded
    }

    private static func hex(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10
    }
}
