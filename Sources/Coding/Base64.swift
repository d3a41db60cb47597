// Base64 (RFC 4648 §4) between secret bytes and text, without the copies that a general decoder leaves behind.

public import NIOCore
public import PosternProtocol

/// Base64, the standard alphabet with padding.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// Decodes text with its padding, and nothing else in it.
    /// - Parameters:
    ///   - text: the text.
    ///   - what: what it is, for the message.
    /// - Throws: `invalid_argument` naming the member.
    public static func decode(_ text: SecretBytes, _ what: String) throws(SecretError) -> SecretBytes {
        let problem = SecretError(.invalidArgument, "\(what) is not base64 (the standard alphabet, with padding).")
        guard text.count.isMultiple(of: 4) else { throw problem }
        return try text.withUnsafeBytes { (source) throws(SecretError) in
            let padding = source.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
            return try SecretBytes(capacity: source.count / 4 * 3) { (target) throws(SecretError) in
                var written = 0
                var bits: UInt32 = 0
                for index in 0..<(source.count - padding) {
                    let value = values[Int(source[index])]
                    guard value != 0xFF else { throw problem }
                    bits = bits << 6 | UInt32(value)
                    if index % 4 != 0 {
                        let left = UInt32(6 - 2 * (index % 4))
                        target[written] = UInt8(truncatingIfNeeded: bits >> left)
                        written += 1
                    }
                }
                // The bits that padding leaves over must be zero, so that each value has one spelling.
                let left: UInt32 = padding == 0 ? 0 : padding == 1 ? 2 : 4
                guard bits & ((1 << left) - 1) == 0 else { throw problem }
                return written
            }
        }
    }

    /// Appends the text of bytes, with padding.
    /// - Parameters:
    ///   - bytes: the bytes.
    ///   - buffer: where to append.
    public static func append(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var bits: UInt32 = 0
            for offset in 0..<3 { bits = bits << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0) }
            for place in 0..<4 {
                let value = Int(bits >> UInt32(18 - 6 * place) & 63)
                buffer.writeInteger(place <= count ? alphabet[value] : UInt8(ascii: "="))
            }
        }
    }
}
