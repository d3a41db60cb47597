import BackendConformance
import Crypto
import Foundation
import PosternProtocol
import Testing

@testable import Envelope

/// docs/envelope-format.md, held to its word.
@Suite struct VectorTests {
    private let info =
        "0013706f737465726e2d656e76656c6f70652d763100126c6c6d2f6f70656e61692f6170695f6b65790000000000000003"
    private let versionKey = "38fd29e054c5296c3fb2a24f1d824b252673c07887d7dc055fdfe52773662bbc"
    private let plaintext =
        "00020004757365720000000767617465776179000870617373776f72640000000d636f727265637420686f727365"
    private let envelope =
        "5073744501404142434445464748494a4b4c4d4e4f00000001808182838485868788898a8b8c8d8e8f90919293949596979899"
        + "9a9b9c9d9e9fc0c1c2c3c4c5c6c7c8c9cacbc9591bee5a9f07870b1d0524c68cbb08d39081e84f2051f3add9f5cbeb1e215d8f"
        + "a179a02fb359d523741677c6229bd5bcf00e993d2cbcdfdf1477c8ac32"

    @Test func `what is stored is the documented envelope, and opens with the primitives alone`() async throws {
        let store = InMemoryBackend()
        // 32 bytes are a domain key, 16 its id, 44 a salt and a nonce.
        let random = RandomSource { buffer in
            let fixed = [32: Array(0..<32), 16: Array(0x40..<0x50), 44: Array(0x80..<0xA0) + Array(0xC0..<0xCC)]
            for (index, byte) in (fixed[buffer.count] ?? []).enumerated() { buffer[index] = UInt8(byte) }
        }
        let wrapper = TestKeyWrapper()
        let clock = ManualClock(Timestamp(seconds: 1_795_506_720))
        let backend = try EnvelopeBackend(
            store: store, keyWrappers: [wrapper], options: .patient, clock: clock, random: random)
        let path = try SecretPath("llm/openai/api_key")
        let payload = try Payload([
            .init(name: "user", value: SecretBytes("gateway")),
            .init(name: "password", value: SecretBytes("correct horse")),
        ])
        for expecting in 0..<3 {
            _ = try await backend.write(path, payload, expecting: expecting, deadline: soon)
        }
        let stored = try await store.read(path, version: 3, deadline: soon).payload
        #expect(stored.fields.map(\.name) == ["postern.envelope"])
        let bytes = stored.fields[0].value.bytes
        #expect(hex(bytes) == envelope)

        // HKDF by hand (RFC 5869): extract, then the first and only block of expand.
        let extracted = HMAC<SHA256>.authenticationCode(
            for: Data(0..<32), using: SymmetricKey(data: Data(bytes[25..<57])))
        let key = HMAC<SHA256>.authenticationCode(
            for: unhex(info) + [1], using: SymmetricKey(data: Data(extracted)))
        #expect(hex(Array(key)) == versionKey)
        let opened = try AES.GCM.open(
            AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: bytes[57..<69]), ciphertext: bytes[69..<(bytes.count - 16)],
                tag: bytes.suffix(16)),
            using: SymmetricKey(data: Data(key)), authenticating: unhex(info) + bytes[5..<25])
        #expect(hex(Array(opened)) == plaintext)

        let guide = try String(contentsOf: documentation, encoding: .utf8)
        for vector in [info, versionKey, plaintext, envelope] { #expect(guide.contains(vector)) }
    }

    @Test func `the key record is the documented JSON, and its wrap opens with the documented binding`() async throws {
        let store = InMemoryBackend()
        let wrapper = TestKeyWrapper("hsm:1")
        let backend = try EnvelopeBackend(
            store: store, keyWrappers: [wrapper], options: .patient,
            clock: ManualClock(Timestamp(seconds: 1_795_506_720)))
        try await backend.put("llm/x", "v")
        let payload = try await store.read(keyringPath("llm"), version: nil, deadline: soon).payload
        #expect(payload.fields.map(\.name) == ["value"])
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(payload.fields[0].value.bytes)) as? [String: Any])
        #expect(Set(json.keys) == ["format", "domain", "current", "keys"])
        #expect(json["format"] as? String == "postern-keyring-v1")
        #expect(json["domain"] as? String == "llm")
        #expect(json["current"] as? Int == 1)
        let keys = try #require(json["keys"] as? [[String: Any]])
        #expect(keys.count == 1)
        #expect(Set(keys[0].keys) == ["version", "id", "created_at", "wraps"])
        #expect(keys[0]["version"] as? Int == 1)
        #expect(keys[0]["created_at"] as? String == Timestamp(seconds: 1_795_506_720).description)
        let id = try #require(keys[0]["id"] as? String)
        #expect(id.count == 32)
        let wraps = try #require(keys[0]["wraps"] as? [[String: String]])
        #expect(wraps.count == 1)
        #expect(Set(wraps[0].keys) == ["kek", "algorithm", "origin", "blob", "wrapped_at"])
        #expect(wraps[0]["kek"] == "hsm:1")
        let blob = try #require(wraps[0]["blob"].flatMap { Data(base64Encoded: $0) })
        let binding =
            [0, 21] + Array("postern-domain-key-v1".utf8) + [0, 3] + Array("llm".utf8) + unhex(id) + [0, 0, 0, 1]
        let key = try await wrapper.unwrap(Array(blob), associatedData: binding, deadline: soon)
        #expect(key.count == 32)
    }

    @Test func `a domain too long for a segment has its record under its hash`() async throws {
        let store = InMemoryBackend()
        let backend = try EnvelopeBackend(store: store, keyWrappers: [TestKeyWrapper()], options: .patient)
        let domain = String(repeating: "d", count: 401)
        try await backend.put(domain, "v")
        let hash = hex(Array(SHA256.hash(data: Data(domain.utf8))))
        _ = try await store.read(.reserved("keyring-long/\(hash)"), version: nil, deadline: soon)
    }

    @Test(arguments: [
        "", "0123456789abcdef", "0123456789abcdef0123456789abcdeF", "0123456789abcdef+123456789abcdef",
        "-0000000000000000000000000000001", "0123456789abcdef0123456789abcdef0", "0123456789abcdeg0123456789abcdef",
    ])
    func `a key id has one spelling`(text: String) {
        #expect(DomainKeyID(hex: text) == nil)
        #expect(DomainKeyID(hex: "000456789abcdef00023456789abcdef")?.description == "000456789abcdef00023456789abcdef")
    }

    @Test func `bytes that are not exactly one payload decode to none, and never crash`() throws {
        let payload = try Payload([
            .init(name: "a", value: SecretBytes("1")), .init(name: "b", value: SecretBytes("22")),
        ])
        let bytes = try PayloadCoding.encode(payload).bytes
        #expect(decode(bytes) == payload)
        for length in bytes.indices { #expect(decode(Array(bytes.prefix(length))) == nil) }
        #expect(decode(bytes + [0]) == nil)
        #expect(decode([0, 0]) == nil, "no fields")
        #expect(decode([0, 1, 0, 1, 0xFF, 0, 0, 0, 0]) == nil, "not UTF-8")
        #expect(decode([0, 2, 0, 1, 97, 0, 0, 0, 0, 0, 1, 97, 0, 0, 0, 0]) == nil, "one name twice")
        #expect(decode([0xFF, 0xFF, 0, 1, 97, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3) { changed[changed.indices.randomElement()!] = .random(in: 0...255) }
            if let decoded = decode(changed) { #expect(try PayloadCoding.encode(decoded).bytes == changed) }
        }
    }

    private func decode(_ bytes: [UInt8]) -> Payload? { bytes.withUnsafeBytes { PayloadCoding.decode($0) } }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func unhex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.utf8.count, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
    }

    private var documentation: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/envelope-format.md")
    }
}
