import Foundation
import NIOCore
import PosternCoding
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Request and answer formats` {
    @Test func `base64 is what Foundation writes, for every length and back`() throws {
        for length in 0...300 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ length) }
            var buffer = ByteBuffer()
            SecretBytes(copying: bytes).withUnsafeBytes { Base64.append($0, to: &buffer) }
            let text = String(buffer: buffer)
            #expect(text == Data(bytes).base64EncodedString())
            #expect(try Base64.decode(SecretBytes(text), "It") == SecretBytes(copying: bytes))
        }
    }

    @Test(arguments: ["A", "AB", "ABC", "A===", "AB==AAAA", "AB=A", "AAB=", "AB C", "AB-_", "====", "=AAA"])
    func `what is not base64 is refused`(text: String) {
        #expect(throws: SecretError.self) { try Base64.decode(SecretBytes(text), "It") }
    }

    @Test func `strings survive being written and read`() throws {
        let text = String(String.UnicodeScalarView((0...0x2FF).compactMap { Unicode.Scalar($0) })) + "\u{1F600}\u{2028}"
        var json = AnswerJSON()
        json.object { $0.member("t", text) }
        var found = ""
        try JSONReader.read(SecretBytes(String(buffer: json.line))) { (json, _) throws(SecretError) in
            found = try json.string("It")
        }
        #expect(found == text)
        let parsed = try JSONSerialization.jsonObject(with: Data(String(buffer: json.line).utf8)) as? [String: String]
        #expect(parsed?["t"] == text)
    }

    @Test func `damaged bodies are read or refused, never worse`() {
        let whole = Array(
            #"{"name":"app/a","fields":{"f":"x\u00e9\ud83d\ude00\n","g":{"base64":"AP8="}},"expected_version":12,"reason":"é"}"#
                .utf8)
        var random = Numbers(state: 42)
        var refused = 0
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0...Int.random(in: 0...2, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes = Array(bytes[...place])
                default: bytes.insert(whole[Int.random(in: 0..<whole.count, using: &random)], at: place)
                }
            }
            do {
                _ = try WriteRequest(SecretBytes(copying: bytes), maximumPayloadBytes: 1 << 20)
            } catch {
                #expect(error.code == .invalidArgument)
                refused += 1
            }
        }
        #expect(refused > 0)
    }
}

/// SplitMix64: the same numbers each time.
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
