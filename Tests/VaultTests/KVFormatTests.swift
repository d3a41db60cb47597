// The formats by themselves: payloads as JSON, times, durations.

import Foundation
import NIOCore
import PosternProtocol
import Testing

@testable import Vault

@Suite struct `A payload as a KV secret's data` {
    private static func payload(_ fields: KeyValuePairs<String, [UInt8]>) throws -> Payload {
        try Payload(fields.map { Payload.Field(name: $0.key, value: SecretBytes(copying: $0.value)) })
    }

    private static func json(_ payload: Payload) -> String { String(buffer: PayloadEncoding.encode(payload)) }

    private static func decode(_ json: String) throws -> Payload {
        try PayloadEncoding.decode(SecretBytes(json), "Version 1 of a")
    }

    @Test func `is plain where fields are text in the order of their bytes`() throws {
        #expect(Self.json(try Payload(value: SecretBytes("x\"\n<é🔑"))) == #"{"value":"x\"\n<é🔑"}"#)
        #expect(
            Self.json(try Self.payload(["a": [0x31], "b": [], "é": [0x32]])) == #"{"a":"1","b":"","é":"2"}"#)
    }

    @Test func `says in one member which order and which bytes plain JSON cannot say`() throws {
        #expect(
            Self.json(try Self.payload(["b": [0x31], "a": [0x32]]))
                == #"{"b":"1","a":"2","postern.encoding":{"version":1,"order":["b","a"]}}"#)
        #expect(
            Self.json(try Self.payload(["value": [0xFF, 0]]))
                == #"{"value":"/wA=","postern.encoding":{"version":1,"base64":["value"]}}"#)
        #expect(
            Self.json(try Self.payload(["b": [0xFF], "a": [0x32]]))
                == #"{"b":"/w==","a":"2","postern.encoding":{"version":1,"order":["b","a"],"base64":["b"]}}"#)
    }

    @Test func `has room for a field that is called as that member is`() throws {
        #expect(
            Self.json(try Self.payload(["postern.encoding": [0x31]]))
                == #"{"postern.encoding":{"version":1,"own":"1"}}"#)
        for fields: KeyValuePairs<String, [UInt8]> in [
            ["postern.encoding": [0x31]], ["postern.encoding": [0xFF]], ["a": [1], "postern.encoding": [2], "z": [3]],
            ["z": [0xFF], "postern.encoding": Array(#"{"version":1}"#.utf8), "own": [0xFE], "order": []],
        ] {
            let payload = try Self.payload(fields)
            #expect(try Self.decode(Self.json(payload)) == payload)
        }
    }

    @Test func `comes back from the order that Vault gives its members`() throws {
        for _ in 0..<500 {
            let names = ["value", "b", "a", "é", "e\u{308}", "🔑", "postern.encoding", "\u{7E}", "<&>"].shuffled()
            let fields = names.prefix(.random(in: 1...names.count)).map { name in
                Payload.Field(
                    name: name,
                    value: SecretBytes(copying: (0..<Int.random(in: 0...8)).map { _ in UInt8.random(in: 0...255) }))
            }
            let payload = try Payload(Array(fields))
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(Self.json(payload).utf8)) as? [String: Any])
            #expect(
                object.count
                    == Set(fields.map(\.name) + (object["postern.encoding"] == nil ? [] : ["postern.encoding"])).count)
            let sorted = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
            #expect(try Self.decode(String(decoding: sorted, as: UTF8.self)) == payload)
        }
    }

    @Test func `has other JSON than strings as its text`() throws {
        let read = try Self.decode(
            #"{"n": 12345678901234567890.50 ,"t":true,"z":null,"o":{"b":[1, "x\u003c"]},"s":"null"}"#)
        #expect(
            read.fields.map { "\($0.name)=\($0.value.text)" } == [
                "n=12345678901234567890.50", #"o={"b":[1, "x\u003c"]}"#, "s=null", "t=true", "z=null",
            ])
    }

    @Test func `is readable after Vault's own patch has added and removed fields`() throws {
        let read = try Self.decode(
            #"{"a":"1","b":"/w==","d":"new","postern.encoding":{"version":1,"order":["z","b","a"],"base64":["b","z"]}}"#
        )
        #expect(read == (try Self.payload(["b": [0xFF], "a": [0x31], "d": Array("new".utf8)])))
    }

    @Test(arguments: [
        "null", "{}", #"{"":"x"}"#, #"{"a\u0000":"x"}"#, #"{"a":"1","a":"2"}"#, #"{"é":"1","e\u0301":"2"}"#,
        #"{"postern.encoding":{"version":1}}"#, #"{"a":"1","postern.encoding":"mine"}"#,
        #"{"a":"1","postern.encoding":null}"#, #"{"a":"1","postern.encoding":{}}"#,
        #"{"a":"1","postern.encoding":{"version":2}}"#, #"{"a":"1","postern.encoding":{"version":"1"}}"#,
        #"{"a":"1","postern.encoding":{"version":1,"order":"a"}}"#,
        #"{"a":"1","postern.encoding":{"version":1,"order":["a","a"]}}"#,
        #"{"a":"1","postern.encoding":{"version":1,"else":1}}"#,
        #"{"a":"1","postern.encoding":{"version":1,"base64":["a"]}}"#,
        #"{"a":1234,"postern.encoding":{"version":1,"base64":["a"]}}"#,
        #"{"a":"/w=","postern.encoding":{"version":1,"base64":["a"]}}"#,
    ])
    func `is refused with a reason, and without its values, where it is none`(json: String) throws {
        let error = #expect(throws: SecretError.self) { try Self.decode(json) }
        #expect(error?.code == .integrityFailure)
        #expect(error?.message.contains("Version 1 of a") == true)
        #expect(error?.message.contains("mine") == false && error?.message.contains("1234") == false)
    }

    @Test func `is refused where it is too large`() throws {
        let value = String(repeating: "x", count: 9 << 20)
        let error = #expect(throws: SecretError.self) { try Self.decode(#"{"a":"\#(value)"}"#) }
        #expect(error?.code == .tooLarge)
        let many = (0...Payload.maximumFields).map { #""f\#($0)":"x""# }.joined(separator: ",")
        #expect(throws: SecretError.self) { try Self.decode("{\(many)}") }
    }
}

@Suite struct `Vault's times and durations` {
    @Test func `times are read to the nanosecond`() throws {
        let time = try #require(VaultTime("2026-11-24T11:14:51.598449154Z"))
        #expect(time.seconds == 1_795_518_891)
        #expect(time.nanoseconds == 598_449_154)
        #expect(time.timestamp.description == "2026-11-24T11:14:51.598449Z")
        #expect(VaultTime("2026-11-24T11:14:51.5Z")?.nanoseconds == 500_000_000)
        #expect(VaultTime("2026-11-24T11:14:51Z")?.nanoseconds == 0)
        #expect(VaultTime("2026-11-24T12:44:51.5+01:30") == VaultTime("2026-11-24T11:14:51.5Z"))
        #expect(VaultTime("2026-11-24t06:14:51.5-05:00") == VaultTime("2026-11-24T11:14:51.500z"))
        #expect(VaultTime("0001-01-01T00:00:00Z")?.seconds == -62_135_596_800)
        #expect(VaultTime("2000-02-29T00:00:00Z")?.seconds == 951_782_400)
    }

    @Test func `times come back from what they are printed as`() throws {
        for _ in 0..<2_000 {
            let time = Timestamp(microseconds: .random(in: -62_135_596_800_000_000...253_402_300_799_999_999))
            #expect(VaultTime(time.description)?.timestamp == time)
        }
    }

    @Test(arguments: [
        "", "n/a", "2026-11-24", "2026-11-24T11:14:51", "2026-11-24 11:14:51Z", "2026-13-24T11:14:51Z",
        "2026-02-29T11:14:51Z", "2100-02-29T11:14:51Z", "2026-11-31T11:14:51Z", "2026-11-24T24:14:51Z",
        "2026-11-24T11:14:51.Z", "2026-11-24T11:14:51.1234567890Z", "2026-11-24T11:14:51Zx", "2026-11-24T11:14:51+01",
        "+026-11-24T11:14:51Z", "２026-11-24T11:14:51Z",
    ])
    func `anything else is no time`(text: String) {
        #expect(VaultTime(text) == nil)
    }

    @Test(
        arguments: zip(
            [
                "0s", "0", "1h2m3.5s", "1m30s", "876600h0m0s", "1.5h", "-1s", "+2s", "100ms", "1us", "1µs", "7ns",
                ".5s", "1.s", "1ns",
            ],
            [0, 0, 3_724, 90, 3_155_760_000, 5_400, 0, 2, 1, 1, 1, 1, 1, 1, 1]))
    func `durations are whole seconds, rounded up`(text: String, seconds: Int) {
        #expect(GoDuration.parse(text)?.secondsRoundedUp == seconds)
    }

    @Test func `durations are read exactly`() {
        #expect(GoDuration.parse("1h2m3.500000001s") == .seconds(3_723) + .nanoseconds(500_000_001))
        #expect(GoDuration.parse("-1.5s") == .milliseconds(-1_500))
        #expect(GoDuration.parse("2562047h47m16.854775807s") == .nanoseconds(Int64.max))
    }

    @Test(arguments: [
        "", "s", "1", "1x", "-", "1h-2m", "1 s", ".s", "2562047h47m16.854775808s", "99999999999999999999s", "9e9s",
        "9223372036854775807ns1h", "9223372036854775807ns0.9h",
    ])
    func `anything else is no duration`(text: String) {
        #expect(GoDuration.parse(text) == nil)
    }

    @Test func `text in URLs is encoded byte by byte`() {
        #expect(URLText.encode("a/b c%é\u{0}&=~.-_Z9") == "a%2Fb%20c%25%C3%A9%00%26%3D~.-_Z9")
    }
}
