// Points in time read back from the text that they are written as.

extension Timestamp {
    /// Reads what ``description`` writes.
    /// - Parameter text: RFC 3339 in UTC with six fractional digits; nil comes of anything else.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let shape = Array("0000-00-00T00:00:00.000000Z".utf8)
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard bytes.count == shape.count,
            zip(bytes, shape).allSatisfy({ digits.contains($1) ? digits.contains($0) : $0 == $1 })
        else { return nil }
        func number(_ range: Range<Int>) -> Int64 {
            bytes[range].reduce(0) { $0 * 10 + Int64($1) - Int64(UInt8(ascii: "0")) }
        }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        guard year > 0, (1...12).contains(month), (1...31).contains(day) else { return nil }
        // Days from a date, counted in 400-year eras that start on March 1st, year 0.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        let seconds = days * 86_400 + number(11..<13) * 3_600 + number(14..<16) * 60 + number(17..<19)
        self.init(microseconds: seconds * 1_000_000 + number(20..<26))
        // What is no date or no time of day does not survive the way back.
        guard description == text else { return nil }
    }
}

extension Timestamp: Codable {
    /// Reads RFC 3339 as ``description`` writes it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let time = Timestamp(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a time in UTC")
        }
        self = time
    }

    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
