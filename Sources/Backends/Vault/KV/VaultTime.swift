// Points in time as Vault writes them (RFC 3339 §5.6), to the nanosecond.

import PosternProtocol

/// A point in time in Vault's answers.
struct VaultTime: Sendable, Hashable {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    let seconds: Int64
    /// What is left, 0 to 999 999 999.
    let nanoseconds: Int64

    /// Reads `2026-11-24T11:14:51.598449154Z`: a fraction of up to nine digits or none, and UTC or an offset.
    /// - Returns: nil if the text is anything else.
    init?(_ text: String) {
        var rest = text.utf8[...]
        func number(_ digits: Int, in range: ClosedRange<Int64>) -> Int64? {
            guard rest.count >= digits else { return nil }
            var number: Int64 = 0
            for byte in rest.prefix(digits) {
                guard (0x30...0x39).contains(byte) else { return nil }
                number = number * 10 + Int64(byte - 0x30)
            }
            rest = rest.dropFirst(digits)
            return range.contains(number) ? number : nil
        }
        func take(_ characters: Unicode.Scalar...) -> Unicode.Scalar? {
            guard let first = rest.first, let found = characters.first(where: { UInt8(ascii: $0) == first }) else {
                return nil
            }
            rest = rest.dropFirst()
            return found
        }
        guard let year = number(4, in: 0...9_999), take("-") != nil, let month = number(2, in: 1...12),
            take("-") != nil,
            let day = number(2, in: 1...Self.days(in: month, year)), take("T", "t") != nil,
            let hour = number(2, in: 0...23), take(":") != nil, let minute = number(2, in: 0...59), take(":") != nil,
            let second = number(2, in: 0...60)
        else { return nil }
        var fraction: Int64 = 0
        if take(".") != nil {
            let digits = rest.prefix { (0x30...0x39).contains($0) }.count
            guard (1...9).contains(digits), let parsed = number(digits, in: 0...999_999_999) else { return nil }
            fraction = (digits..<9).reduce(parsed) { value, _ in value * 10 }
        }
        var offset: Int64 = 0
        switch take("Z", "z", "+", "-") {
        case "Z", "z": break
        case let sign?:
            guard let hours = number(2, in: 0...23), take(":") != nil, let minutes = number(2, in: 0...59) else {
                return nil
            }
            offset = (hours * 60 + minutes) * (sign == "-" ? -60 : 60)
        case nil: return nil
        }
        guard rest.isEmpty else { return nil }
        seconds = Self.day(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        nanoseconds = fraction
    }

    init(seconds: Int64, nanoseconds: Int64) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The same to the microsecond, rounded down.
    var timestamp: Timestamp { Timestamp(microseconds: seconds * 1_000_000 + nanoseconds / 1_000) }

    /// Days from 1970 to a proleptic Gregorian date, counted in 400-year eras that start on March 1st, year 0.
    private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func days(in month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
