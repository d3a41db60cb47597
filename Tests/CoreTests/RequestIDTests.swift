import BackendConformance
import PosternCore
import PosternProtocol
import Testing

@Suite struct RequestIDTests {
    @Test func `ids are UUIDs of version 7 that carry the time and never repeat`() {
        var generator = SystemRandomNumberGenerator()
        let ids = RequestIDs(clock: ManualClock(Timestamp(microseconds: 0x0123_4567_89AB * 1_000)), using: &generator)
        let made = (0..<10_000).map { _ in ids.next() }
        #expect(Set(made).count == made.count)
        for id in made.prefix(100) {
            #expect(
                id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil, "\(id)"
            )
            #expect(id.hasPrefix("01234567-89ab-7"))
        }
    }

    @Test(arguments: [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", nil),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", nil),
        ("", nil), ("00", nil), ("00-0af7", nil), ("x-y-z-w", nil),
    ])
    func `a trace id is taken from a valid traceparent only`(header: String, expected: String?) {
        #expect(TraceParent.traceID(header) == expected)
        #expect(TraceParent.traceID(nil) == nil)
    }
}
