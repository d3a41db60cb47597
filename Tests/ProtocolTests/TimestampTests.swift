import Foundation
import PosternProtocol
import Testing

@Suite struct TimestampTests {
    @Test func `RFC 3339 text agrees with Foundation over four centuries`() {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: false)
        for second in stride(from: Int64(-6_000_000_000), through: 10_000_000_000, by: 7_777_777) {
            let ours = Timestamp(seconds: second).description
            let theirs = Date(timeIntervalSince1970: TimeInterval(second)).formatted(style)
            #expect(ours == theirs.dropLast() + ".000000Z")
        }
    }

    @Test func `fractions are written with six digits, also before 1970`() {
        #expect(Timestamp(microseconds: 1_500_001).description == "1970-01-01T00:00:01.500001Z")
        #expect(Timestamp(microseconds: -1).description == "1969-12-31T23:59:59.999999Z")
    }

    @Test func `durations move a point in time and measure between two`() {
        let start = Timestamp(seconds: 100)
        let end = start.advanced(by: .milliseconds(1_500))
        #expect(end.microseconds == 101_500_000)
        #expect(end.since(start) == .milliseconds(1_500))
    }

    @Test func `what is written is read back, over four centuries`() {
        for microsecond in stride(
            from: Int64(-6_000_000_000_000_000), through: 10_000_000_000_000_000, by: 77_777_777_777_777)
        {
            let time = Timestamp(microseconds: microsecond)
            #expect(Timestamp(time.description) == time)
        }
    }

    @Test(arguments: [
        "", "2026-11-24T07:52:00Z", "2026-11-24T07:52:00.000000", "2026-11-24 07:52:00.000000Z",
        "2026-13-24T07:52:00.000000Z", "2026-02-30T07:52:00.000000Z", "2026-11-24T24:00:00.000000Z",
        "2026-11-24T07:60:00.000000Z", "+026-11-24T07:52:00.000000Z", "2026-11-24T07:52:00.00000xZ",
        "9999999999999999999999999999", "0000-01-01T00:00:00.000000Z", "0001-00-00T00:00:00.000000Z",
        "ä026-11-24T07:52:00.000000",
    ])
    func `no other text is read as a time`(text: String) {
        #expect(Timestamp(text) == nil)
    }
}
