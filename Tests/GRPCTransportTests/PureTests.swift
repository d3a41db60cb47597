// The parts without input or output, one promise at a time.

import CNGHTTP2
import Testing

@testable import PosternGRPCTransport

struct `The timeout header` {
    @Test(arguments: [
        ("1H", Duration.seconds(3_600)), ("2M", .seconds(120)), ("3S", .seconds(3)), ("4m", .milliseconds(4)),
        ("5u", .microseconds(5)), ("6n", .nanoseconds(6)), ("0S", .zero), ("99999999H", .seconds(359_999_996_400)),
    ])
    func `is read in every unit`(text: String, expected: Duration) {
        #expect(GRPCTimeout.parse(Array(text.utf8)) == expected)
    }

    @Test(arguments: ["", "S", "1", "1s", "123456789S", "-1S", "+1S", "1.5S", "1 S", "1SS", "٣S"])
    func `is refused when malformed`(text: String) {
        #expect(GRPCTimeout.parse(Array(text.utf8)) == nil)
    }
}

struct `Percent encoding of status messages` {
    @Test(arguments: [
        ("plain ~text", "plain ~text"), ("100 %", "100 %25"), ("a\nb", "a%0Ab"), ("ö", "%C3%B6"), ("🔑", "%F0%9F%94%91"),
        ("\u{7F}\0", "%7F%00"), ("", ""),
    ])
    func `escapes what is not printable ASCII`(text: String, expected: String) {
        #expect(PercentEncoding.encode(text) == Array(expected.utf8))
    }

    @Test func `cuts long messages between characters`() {
        let encoded = PercentEncoding.encode(String(repeating: "ö", count: 100), limit: 20)
        #expect(encoded == Array("%C3%B6%C3%B6%C3%B6".utf8))
    }
}

struct `Binary headers` {
    @Test(arguments: [[], [0], [0, 255], [1, 2, 3], Array(0...255)] as [[UInt8]])
    func `survive the trip without padding`(bytes: [UInt8]) {
        let encoded = BinaryHeader.encode(bytes)
        #expect(!encoded.contains(UInt8(ascii: "=")))
        #expect(BinaryHeader.decode(encoded) == bytes)
    }

    @Test func `are accepted with padding`() {
        #expect(BinaryHeader.decode(Array("AP8=".utf8)) == [0, 255])
    }

    @Test(arguments: ["!", "A", "AP8=x", "A=="])
    func `are refused when they are not base64`(text: String) {
        #expect(BinaryHeader.decode(Array(text.utf8)) == nil)
    }
}

struct `Request metadata` {
    @Test func `has every value of a header, as it was on the wire`() {
        var metadata = RPCMetadata()
        #expect(metadata.values("x-a").isEmpty)
        for (name, value) in [("x-a", "1"), ("x-ab", "2"), ("x-a", ""), ("x", "3"), ("x-a", "1")] {
            metadata.append(name: name, value: value)
        }
        #expect(metadata.values("x-a").map(Array.init) == [Array("1".utf8), [], Array("1".utf8)])
    }

    @Test func `finds headers by name, the first of several`() {
        var metadata = RPCMetadata()
        metadata.append(name: "x-a", value: "1")
        metadata.append(name: "x-b-bin", value: "AP8,AAA")
        metadata.append(name: "x-a", value: "2")
        #expect(metadata["x-a"] == "1")
        #expect(metadata["x"] == nil)
        #expect(metadata.binary("x-b-bin") == [0, 255])
        #expect(metadata.all.map(\.value) == ["1", "AP8,AAA", "2"])
    }
}

struct `The method table` {
    @Test func `finds every method and nothing else`() {
        let paths = (0..<500).map { "/package.Service\($0 % 7)/Method\($0)" }
        let table = MethodTable(Dictionary(uniqueKeysWithValues: paths.map { ($0, echo) }))
        for path in paths { #expect(find(path, in: table) == path) }
        for path in ["", "/", "/package.Service0/Method", "/package.Service0/Method00"] {
            #expect(find(path, in: table) == nil)
        }
    }

    private let echo = RPCMethod.unary { (_, message) async throws(RPCStatus) in message }

    private func find(_ path: String, in table: MethodTable) -> String? {
        table.find(Array(path.utf8).span)?.path
    }
}

struct `The reset meter` {
    @Test func `allows a burst and then a rate`() {
        let start = ContinuousClock.now
        var meter = ResetMeter(burst: 3, perSecond: 2, now: start)
        #expect((0..<4).map { _ in meter.take(now: start) } == [true, true, true, false])
        let later = start.advanced(by: .seconds(1))
        #expect((0..<3).map { _ in meter.take(now: later) } == [true, true, false])
        let muchLater = start.advanced(by: .seconds(1_000))
        #expect((0..<4).map { _ in meter.take(now: muchLater) } == [true, true, true, false])
    }
}

struct `Response headers` {
    @Test(arguments: [4_096, 4_097])
    func `drop details that clients would not take`(size: Int) {
        var status = RPCStatus(code: 5, message: "m")
        status.details = [UInt8](repeating: 1, count: size)
        var names: [String] = []
        HeaderBlock(trailersOnly: status).withHeaders { headers in
            names = headers.map {
                String(decoding: UnsafeBufferPointer(start: $0.name, count: $0.namelen), as: UTF8.self)
            }
        }
        let expected = [":status", "content-type", "grpc-status", "grpc-message"]
        #expect(names == (size > 4_096 ? expected : expected + ["grpc-status-details-bin"]))
    }
}
