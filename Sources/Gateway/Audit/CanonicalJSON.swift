// The pieces of RFC 8785 (JSON Canonicalization Scheme) that records need: strings and whole numbers.

extension [UInt8] {
    /// Appends text that is already JSON.
    @inline(__always)
    mutating func appendRaw(_ text: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a member, given its name with the comma before and the colon after it, unless it is absent.
    @inline(__always)
    mutating func appendMember(_ prefix: StaticString, _ value: String?) {
        guard let value else { return }
        appendRaw(prefix)
        appendJSON(value)
    }

    /// Appends a member that is a whole number, unless it is absent.
    @inline(__always)
    mutating func appendMember(_ prefix: StaticString, _ value: Int?) {
        guard let value else { return }
        appendRaw(prefix)
        appendJSON(value)
    }

    /// Appends a string with its quotes (RFC 8785 §3.2.2.2).
    mutating func appendJSON(_ string: String) {
        append(UInt8(ascii: "\""))
        let done: Void? = unsafe string.utf8.withContiguousStorageIfAvailable { unsafe appendEscaped($0) }
        if done == nil {
            // Only strings bridged from elsewhere have no contiguous storage.
            let copy = Array(string.utf8)
            unsafe copy.withUnsafeBufferPointer { unsafe appendEscaped($0) }
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends a whole number (RFC 8785 §3.2.2.3), bounded to what every JSON reader keeps exactly.
    mutating func appendJSON(_ number: Int) {
        let bound = 1 << 53 - 1
        let kept = Swift.min(Swift.max(number, -bound), bound)
        if kept < 0 { append(UInt8(ascii: "-")) }
        var left = kept.magnitude
        let start = count
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: left % 10))
            left /= 10
        } while left > 0
        self[start...].reverse()
    }

    private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
        // Runs without anything to escape, nearly always the whole string, are copied at once.
        var copied = 0
        for position in text.indices {
            let byte = unsafe text[position]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            unsafe append(contentsOf: UnsafeBufferPointer(rebasing: text[copied..<position]))
            appendEscape(byte)
            copied = position + 1
        }
        unsafe append(contentsOf: UnsafeBufferPointer(rebasing: text[copied...]))
    }

    private mutating func appendEscape(_ byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        default:
            appendRaw("u00")
            append(UInt8(ascii: "0") + byte >> 4)
            let low = byte & 0x0F
            append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }
}
