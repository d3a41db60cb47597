// What the parsers do with bytes lent to them. A span cannot outlive what it views, so theirs is safe code.

extension Span<UInt8> {
    /// Whether these bytes are exactly that text.
    func matches(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe self[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether these bytes are exactly those.
    func matches(_ bytes: [UInt8]) -> Bool {
        guard count == bytes.count else { return false }
        for index in indices where self[index] != bytes[index] { return false }
        return true
    }
}

extension [UInt8] {
    /// Adds a copy of the bytes.
    mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
