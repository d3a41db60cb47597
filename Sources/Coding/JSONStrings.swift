// The escapes of JSON strings (RFC 8259 §7), both ways, on secret bytes.

public import NIOCore
import PosternProtocol

/// The escapes of JSON strings.
public enum JSONStrings {
    /// Undoes the escapes of a string's inside, which is valid UTF-8.
    /// - Throws: `invalid_argument` naming the member, for control characters, unknown escapes, lone surrogates.
    static func unescape(_ raw: UnsafeRawBufferPointer, _ what: String) throws(SecretError) -> SecretBytes {
        try SecretBytes(capacity: raw.count) { (target) throws(SecretError) in
            var written = 0
            var position = 0
            func put(_ byte: UInt8) {
                target[written] = byte
                written += 1
            }
            while position < raw.count {
                let byte = raw[position]
                position += 1
                guard byte >= 0x20 else {
                    throw SecretError(.invalidArgument, "\(what) has a control character that is not escaped.")
                }
                guard byte == UInt8(ascii: "\\") else {
                    put(byte)
                    continue
                }
                let escape = position < raw.count ? raw[position] : 0
                position += 1
                if let plain = simpleEscape(escape) {
                    put(plain)
                } else if escape == UInt8(ascii: "u"), let scalar = unicodeEscape(raw, &position) {
                    // Three bytes at most where six were, four where twelve were: it fits.
                    for unit in UTF8.encode(scalar) ?? UTF8.CodeUnits.none { put(unit) }
                } else {
                    throw SecretError(.invalidArgument, "\(what) has an escape that is not valid JSON.")
                }
            }
            return written
        }
    }

    private static func simpleEscape(_ escape: UInt8) -> UInt8? {
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): escape
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// The scalar of one `\u` escape, or of a pair of surrogates.
    private static func unicodeEscape(_ raw: UnsafeRawBufferPointer, _ position: inout Int) -> Unicode.Scalar? {
        guard let first = codeUnit(raw, &position) else { return nil }
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
        guard position + 1 < raw.count, raw[position] == UInt8(ascii: "\\"), raw[position + 1] == UInt8(ascii: "u")
        else { return nil }
        position += 2
        guard let second = codeUnit(raw, &position), (0xDC00..<0xE000).contains(second) else { return nil }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private static func codeUnit(_ raw: UnsafeRawBufferPointer, _ position: inout Int) -> UInt32? {
        guard position + 4 <= raw.count else { return nil }
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = raw[position].hexadecimalValue else { return nil }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    /// Appends a string with its quotes.
    /// - Parameters:
    ///   - bytes: its UTF-8.
    ///   - buffer: where to append.
    public static func append(_ bytes: some Sequence<UInt8>, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
            case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
            case 0x0A: buffer.writeStaticString("\\n")
            case 0x0D: buffer.writeStaticString("\\r")
            case 0x09: buffer.writeStaticString("\\t")
            case 0..<0x20, 0x7F:
                buffer.writeStaticString("\\u00")
                for digit in [byte >> 4, byte & 15] {
                    buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                }
            default: buffer.writeInteger(byte)
            }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }
}

extension UTF8 {
    fileprivate enum CodeUnits {
        static let none = UTF8.EncodedScalar()
    }
}
