// Percent-encoding, as forms (application/x-www-form-urlencoded) and AWS's signatures have it.

import PosternProtocol

enum FormText {
    static let mediaType = "application/x-www-form-urlencoded"

    /// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
    /// - Parameter kept: a character to leave alone besides.
    static func encode(_ bytes: some Sequence<UInt8>, keeping kept: Character? = nil) -> String {
        var text = ""
        for byte in bytes {
            let character = Character(UnicodeScalar(byte))
            let isUnreserved = byte < 0x80 && (character.isLetter || character.isNumber || "-._~".contains(character))
            text += isUnreserved || character == kept ? String(character) : "%" + [byte].hexadecimal.uppercased()
        }
        return text
    }

    /// Percent-encodes a text.
    static func encode(_ text: String) -> String { encode(text.utf8) }

    /// Undoes percent-encoding; leaves alone what is none.
    static func decode(_ text: some StringProtocol) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2).compactMap(\.hexadecimalValue)
            if byte == UInt8(ascii: "%"), digits.count == 2 {
                bytes.append(digits[0] << 4 | digits[1])
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }

    /// The body of a form: pairs of names and values.
    static func body(_ pairs: [(name: String, value: String)]) -> String {
        pairs.map { "\($0.name)=\(encode($0.value))" }.joined(separator: "&")
    }
}
