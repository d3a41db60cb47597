// The few texts that are wanted of an XML answer.

import PosternProtocol

enum XMLText {
    /// The text of the first element of a name, without white space at its ends.
    /// - Returns: nil if there is none, or if it holds more than plain text.
    static func element(_ name: String, of document: SecretBytes) -> SecretBytes? {
        document.withUnsafeBytes { bytes in
            guard let start = bytes.firstRange(of: Array("<\(name)>".utf8)),
                let end = bytes[start.upperBound...].firstRange(of: Array("</\(name)>".utf8))
            else { return nil }
            let text = bytes[start.upperBound..<end.lowerBound].trimmed
            // Neither elements nor entities: what is wanted here has neither.
            guard !text.isEmpty, !text.contains(UInt8(ascii: "<")), !text.contains(UInt8(ascii: "&")) else {
                return nil
            }
            return SecretBytes(copying: text)
        }
    }
}
