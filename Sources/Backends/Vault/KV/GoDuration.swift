// Durations as Go's time.Duration prints them and as Vault answers with them: `1h2m3.5s`, `0s`, `-1s`.

enum GoDuration {
    /// Reads a duration.
    /// - Returns: nil if the text is none, or longer than a `Duration` can tell.
    static func parse(_ text: String) -> Duration? {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            var fraction = Substring()
            if rest.first == "." {
                fraction = rest.dropFirst().prefix { ("0"..."9").contains($0) }
                rest = rest.dropFirst(1 + fraction.count)
            }
            guard let (unit, nanoseconds) = units.first(where: { rest.hasPrefix($0.0) }),
                !digits.isEmpty || !fraction.isEmpty, let count = digits.isEmpty ? 0 : Int64(digits)
            else { return nil }
            rest = rest.dropFirst(unit.count)
            // Less than one unit; behind a nanosecond's digits nothing changes any more.
            var (part, place) = (Int64(0), nanoseconds)
            for digit in fraction.prefix(18) {
                place /= 10
                part += place * Int64(digit.wholeNumberValue ?? 0)
            }
            let (product, isTooLong) = count.multipliedReportingOverflow(by: nanoseconds)
            let (sum, overflows) = total.addingReportingOverflow(product)
            let (whole, overflowsToo) = sum.addingReportingOverflow(part)
            guard !isTooLong, !overflows, !overflowsToo else { return nil }
            total = whole
        }
        return .nanoseconds(isNegative ? -total : total)
    }

    /// The longer unit comes first where one starts like another.
    private static let units: [(String, Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("h", 3_600_000_000_000),
    ]
}

extension Duration {
    /// Whole seconds, rounded up; none for what is negative.
    var secondsRoundedUp: Int {
        let (seconds, attoseconds) = components
        return max(0, Int(seconds) + (attoseconds > 0 ? 1 : 0))
    }
}
