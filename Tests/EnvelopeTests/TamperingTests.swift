import BackendConformance
import Envelope
import PosternProtocol
import Testing

@Suite struct TamperingTests {
    private let store = DishonestStore()
    private let wrapper = TestKeyWrapper()
    private let envelope: EnvelopeBackend
    private let path: SecretPath

    init() throws {
        envelope = try EnvelopeBackend(store: store, keyWrappers: [wrapper], options: .patient)
        path = try SecretPath("llm/openai/api_key")
    }

    @Test func `an envelope with any byte changed, cut or added is refused`() async throws {
        try await envelope.put(path.text, "the value")
        let honest = try await store.read(path, version: nil, deadline: soon)
        let bytes = honest.payload.fields[0].value.bytes
        // Header and nonce, a payload of one field of 5 + 9 bytes, tag.
        #expect(bytes.count == 69 + 22 + 16)
        for position in bytes.indices {
            for bit in [UInt8(1), 0x80] {
                await refuse("byte \(position)") { changed in
                    var changed = changed
                    changed[position] ^= bit
                    return changed
                }
            }
            await refuse("cut to \(position)") { Array($0.prefix(position)) }
            await refuse("without the first \(position + 1)") { Array($0.dropFirst(position + 1)) }
        }
        await refuse("a byte more") { $0 + [0] }
        await refuse("twice") { $0 + $0 }
        store.answer(path, nil)
        #expect(try await envelope.get(path.text) == "the value", "the refusals have broken nothing")
    }

    @Test(arguments: [
        ("llm/openai/api_key", 1, "llm/openai/api_kez", 1), ("llm/openai/api_key", 1, "llm/openai", 1),
        ("llm/openai/api_key", 1, "llm/openai/api_key/x", 1), ("llm/a", 1, "web/a", 1), ("llm", 1, "llm/llm", 1),
        ("llm/a", 1, "llm/a", 2), ("llm/a", 2, "llm/a", 1),
    ])
    func `an envelope at another path or version is refused`(
        from: String, fromVersion: Int, to: String, toVersion: Int
    ) async throws {
        for place in Set([from, to]) {
            for version in 1...2 { try await envelope.put(place, "\(place) \(version)") }
        }
        let moved = try await store.read(SecretPath(from), version: fromVersion, deadline: soon).payload
        store.answer(try SecretPath(to)) { (version) throws(SecretError) in version.with(moved) }
        await expectError(.integrityFailure) { try await envelope.get(to, toVersion) }
    }

    @Test func `an old envelope written again as a new version is refused`() async throws {
        try await envelope.put(path.text, "the old value")
        try await envelope.put(path.text, "the new value")
        let old = try await store.read(path, version: 1, deadline: soon).payload
        _ = try await store.write(path, old, expecting: 2, deadline: soon)
        await expectError(.integrityFailure, containing: "version 3 does not open") {
            try await envelope.get(path.text)
        }
        #expect(try await envelope.get(path.text, 1) == "the old value")
        try await envelope.put(path.text, "the newest value")
        #expect(try await envelope.get(path.text) == "the newest value", "a write goes over it")
    }

    @Test func `an answer about another secret or version than was asked for is refused`() async throws {
        try await envelope.put("llm/a", "a1")
        try await envelope.put("llm/a", "a2")
        try await envelope.put("llm/b", "b1")
        let first = try await store.read(SecretPath("llm/a"), version: 1, deadline: soon)
        store.answer(try SecretPath("llm/a")) { (_) throws(SecretError) in first }
        store.answer(try SecretPath("llm/b")) { (_) throws(SecretError) in first }
        await expectError(.integrityFailure, containing: "another") { try await envelope.get("llm/a", 2) }
        await expectError(.integrityFailure, containing: "another") { try await envelope.get("llm/b") }
    }

    @Test(arguments: ["value", "postern.envelope"])
    func `a value that somebody stored without encryption is refused and not shown`(field: String) async throws {
        try await envelope.put("llm/other", "x")
        let plain = try Payload([.init(name: field, value: SecretBytes("in the clear, long enough to be an envelope"))])
        _ = try await store.write(path, plain, expecting: nil, deadline: soon)
        let error = await expectError(.integrityFailure, containing: "not an envelope") {
            try await envelope.get(path.text)
        }
        #expect(error?.message.contains("in the clear, long") == false)
        try await envelope.put(path.text, "encrypted now")
        #expect(try await envelope.get(path.text) == "encrypted now")
    }

    @Test func `an envelope with a second field beside it is refused`() async throws {
        try await envelope.put(path.text, "x")
        store.answer(path) { (version) throws(SecretError) in
            version.with(try Payload(version.payload.fields + [.init(name: "value", value: SecretBytes("fake"))]))
        }
        await expectError(.integrityFailure) { try await envelope.get(path.text) }
    }

    @Test func `an envelope of a format from the future says so`() async throws {
        try await envelope.put(path.text, "x")
        store.change(path) { $0.prefix(4) + [2] + $0.dropFirst(5) }
        await expectError(.integrityFailure, containing: "format 2") { try await envelope.get(path.text) }
    }

    @Test func `a version that the store numbered otherwise than it was encrypted for is reported`() async throws {
        store.misnumber(by: 7)
        await expectError(.integrityFailure, containing: "as version 8 where 1 was due") {
            try await envelope.put(path.text, "x")
        }
    }

    private func refuse(_ what: String, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]) async {
        store.change(path, change)
        await expectError(.integrityFailure, what) { try await envelope.get(path.text) }
    }
}
