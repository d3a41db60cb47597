// The headers of a request, kept in one array: a call has a handful, and most are never looked at.

/// Request headers other than those that drive HTTP/2 and gRPC themselves.
public struct RPCMetadata: Sendable {
    /// Each entry is the length of the name and of the value, 4 bytes each, then both.
    private var bytes: [UInt8] = []

    /// Makes empty metadata.
    public init() {}

    /// Whether there is none.
    public var isEmpty: Bool { bytes.isEmpty }

    /// Adds a header.
    /// - Parameters:
    ///   - name: its name in lower case.
    ///   - value: its value as it was on the wire.
    public mutating func append(name: String, value: String) {
        append(name: Array(name.utf8).span, value: Array(value.utf8).span)
    }

    mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        if bytes.isEmpty { bytes.reserveCapacity(8 + name.count + value.count) }
        append(length: name.count)
        append(length: value.count)
        bytes.append(name)
        bytes.append(value)
    }

    /// The first value of a text header.
    /// - Parameter name: the name in lower case.
    public subscript(name: String) -> String? {
        firstValue(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first value of a binary header, decoded from base64 with or without padding.
    /// - Parameter name: the name in lower case, ending in `-bin`.
    /// - Returns: nil if there is no such header or it is not base64.
    public func binary(_ name: String) -> [UInt8]? {
        guard let value = firstValue(name) else { return nil }
        return BinaryHeader.decode(value.prefix { $0 != UInt8(ascii: ",") })
    }

    /// The values of a header as they were on the wire, in the order they came.
    /// - Parameter name: the name in lower case.
    public func values(_ name: String) -> [ArraySlice<UInt8>] {
        var values: [ArraySlice<UInt8>] = []
        forEach { candidate, value in
            if candidate.elementsEqual(name.utf8) { values.append(value) }
            return true
        }
        return values
    }

    /// Every header in the order it came, as text.
    public var all: [(name: String, value: String)] {
        var all: [(name: String, value: String)] = []
        forEach { name, value in
            all.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
            return true
        }
        return all
    }

    private func firstValue(_ name: String) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        forEach { candidate, value in
            guard candidate.elementsEqual(name.utf8) else { return true }
            found = value
            return false
        }
        return found
    }

    private func forEach(_ body: (ArraySlice<UInt8>, ArraySlice<UInt8>) -> Bool) {
        var position = 0
        while position < bytes.count {
            let name = position + 8
            let value = name + length(at: position)
            let end = value + length(at: position + 4)
            guard body(bytes[name..<value], bytes[value..<end]) else { return }
            position = end
        }
    }

    private mutating func append(length: Int) {
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
    }

    private func length(at position: Int) -> Int {
        bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    }
}
