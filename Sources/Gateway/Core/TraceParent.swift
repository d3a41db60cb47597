// The caller's trace, as the W3C Trace Context header carries it.

/// Reads the `traceparent` header (W3C Trace Context §3.2).
public enum TraceParent {
    /// The trace id of a header.
    /// - Parameter header: the header's value, if there was one.
    /// - Returns: 32 lower-case hex digits; nil if the header is not valid, since it then counts as absent.
    public static func traceID(_ header: String?) -> String? {
        guard let header else { return nil }
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0] != "ff", parts[0] != "00" || parts.count == 4 else { return nil }
        for (part, length) in zip(parts, [2, 32, 16, 2]) {
            let isHex = part.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
            guard part.utf8.count == length, isHex else { return nil }
        }
        guard parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }) else { return nil }
        return String(parts[1])
    }
}
