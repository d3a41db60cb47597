// Points in time as the wire, the store and the audit log write them: whole microseconds, UTC.

import Glibc

/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    public let microseconds: Int64

    /// Makes a point in time.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Makes a point in time from seconds since 1970.
    public init(seconds: Int64) {
        self.microseconds = seconds * 1_000_000
    }

    /// Orders by time.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// This point moved by a duration.
    public func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(microseconds: microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// How long from another point to this one.
    public func since(_ other: Timestamp) -> Duration {
        .microseconds(microseconds - other.microseconds)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with six fractional digits, as in `2026-11-24T07:52:00.000000Z`.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(27)
        appendRFC3339(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends ``description`` as 27 bytes of ASCII (RFC 3339), without making a string.
    /// - Parameter buffer: where to append.
    public func appendRFC3339(to buffer: inout [UInt8]) {
        var (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if fraction < 0 {
            fraction += 1_000_000
            seconds -= 1
        }
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        // Days to a proleptic Gregorian date, in 400-year eras that start on March 1st, year 0.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        func append(_ number: Int64, digits: Int) {
            let start = buffer.count
            var left = number
            for _ in 0..<digits { buffer.append(0) }
            for place in stride(from: start + digits - 1, through: start, by: -1) {
                buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: left % 10)
                left /= 10
            }
        }
        append(year, digits: 4)
        buffer.append(UInt8(ascii: "-"))
        append(month, digits: 2)
        buffer.append(UInt8(ascii: "-"))
        append(day, digits: 2)
        buffer.append(UInt8(ascii: "T"))
        append(rest / 3_600, digits: 2)
        buffer.append(UInt8(ascii: ":"))
        append(rest / 60 % 60, digits: 2)
        buffer.append(UInt8(ascii: ":"))
        append(rest % 60, digits: 2)
        buffer.append(UInt8(ascii: "."))
        append(fraction, digits: 6)
        buffer.append(UInt8(ascii: "Z"))
    }
}

/// Tells the time of day. Injected, so that tests decide what time it is.
public protocol WallClock: Sendable {
    /// The time now.
    func now() -> Timestamp
}

/// The machine's own clock.
public struct SystemWallClock: WallClock {
    /// Makes one.
    public init() {}

    /// The time now, from `CLOCK_REALTIME`.
    public func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
