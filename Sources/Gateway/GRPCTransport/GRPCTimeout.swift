// The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").

/// Parses `grpc-timeout`.
enum GRPCTimeout {
    /// - Parameter text: the header's value.
    /// - Returns: the time given, or nil if the value is malformed.
    static func parse(_ text: some BidirectionalCollection<UInt8>) -> Duration? {
        guard let unit = text.last else { return nil }
        let digits = text.dropLast()
        guard (1...8).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        switch unit {
        case UInt8(ascii: "H"): return .seconds(value * 3_600)
        case UInt8(ascii: "M"): return .seconds(value * 60)
        case UInt8(ascii: "S"): return .seconds(value)
        case UInt8(ascii: "m"): return .milliseconds(value)
        case UInt8(ascii: "u"): return .microseconds(value)
        case UInt8(ascii: "n"): return .nanoseconds(value)
        default: return nil
        }
    }
}
