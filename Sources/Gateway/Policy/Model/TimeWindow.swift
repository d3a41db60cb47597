// Times of the week, for the `time` condition. All in UTC.

import PosternProtocol

/// A day of the week, as the policy file names it.
enum Weekday: String, CaseIterable, Sendable {
    case mon, tue, wed, thu, fri, sat, sun
}

/// Some days of the week, and a part of the day from a minute (included) to a minute (not included).
///
/// A window whose end comes before its start goes on past midnight, and belongs to the day it starts on.
struct TimeWindow: Hashable, Sendable {
    static let minutesPerDay = 1_440

    let days: Set<Weekday>
    /// Minutes since midnight.
    let from: Int
    /// Minutes since midnight, at most ``minutesPerDay``.
    let to: Int
    /// A bit for each day, so that a check allocates nothing.
    private let dayBits: UInt8

    init(days: Set<Weekday> = Set(Weekday.allCases), from: Int = 0, to: Int = minutesPerDay) {
        self.days = days
        self.from = from
        self.to = to
        dayBits = Weekday.allCases.enumerated().reduce(0) { bits, day in
            days.contains(day.element) ? bits | 1 << day.offset : bits
        }
    }

    func contains(_ time: Timestamp) -> Bool {
        let minutes = Self.floorDivide(time.microseconds, 60_000_000)
        let day = Self.floorDivide(minutes, Int64(Self.minutesPerDay))
        let minute = Int(minutes - day * Int64(Self.minutesPerDay))
        if from < to { return minute >= from && minute < to && includes(day) }
        if minute >= from { return includes(day) }
        return minute < to && includes(day - 1)
    }

    /// Whether a day, counted from 1970-01-01 (a Thursday), is one of the window's.
    private func includes(_ day: Int64) -> Bool {
        let weekday = ((day + 3) % 7 + 7) % 7
        return dayBits & (1 << UInt8(weekday)) != 0
    }

    private static func floorDivide(_ number: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Parses `HH:MM`, from `00:00` to `24:00`, into minutes since midnight; nil if the text is none.
    static func minutes(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        var digits: [Int] = []
        for place in [0, 1, 3, 4] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) else { return nil }
            digits.append(Int(bytes[place] - UInt8(ascii: "0")))
        }
        let hour = digits[0] * 10 + digits[1]
        let minute = digits[2] * 10 + digits[3]
        guard minute < 60, hour < 24 || (hour == 24 && minute == 0) else { return nil }
        return hour * 60 + minute
    }
}

extension TimeWindow: CustomStringConvertible {
    /// As in `mon, tue 08:00-18:00 UTC`.
    var description: String {
        let everyDay = days.count == Weekday.allCases.count
        let names = Weekday.allCases.filter(days.contains).map(\.rawValue).joined(separator: ", ")
        return "\(everyDay ? "every day" : names) \(Self.clock(from))-\(Self.clock(to)) UTC"
    }

    private static func clock(_ minutes: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(minutes / 60)):\(two(minutes % 60))"
    }
}
