import BackendConformance
import Envelope
import PosternProtocol
import Testing

@Suite struct WriteTests {
    private let store = InMemoryBackend()
    private let envelope: EnvelopeBackend

    init() throws {
        envelope = try EnvelopeBackend(store: store, keyWrappers: [TestKeyWrapper()], options: .patient)
    }

    @Test func `its name names the store`() {
        #expect(envelope.name == "envelope(memory)")
    }

    @Test func `writes that expect nothing all succeed, however many race`() async throws {
        let numbers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for index in 0..<200 { group.addTask { (index, try await envelope.put("a/x", "\(index)").number) } }
            return try await group.reduce(into: [Int: Int]()) { $0[$1.1] = $1.0 }
        }
        #expect(Set(numbers.keys) == Set(1...200))
        for number in 191...200 {
            #expect(try await envelope.get("a/x", number) == "\(numbers[number, default: -1])")
        }
    }

    @Test func `a conflict with what the caller expected is the caller's`() async throws {
        for expecting in [1, -1, Int.max, Int.min] {
            let error = await expectError(.conflict) { try await envelope.put("a/x", "v", expecting: expecting) }
            #expect(error?.currentVersion == 0)
        }
        try await envelope.put("a/x", "v1", expecting: 0)
        try await envelope.put("a/x", "v2", expecting: 1)
        let error = await expectError(.conflict) { try await envelope.put("a/x", "v3", expecting: 1) }
        #expect(error?.currentVersion == 2)
        #expect(try await envelope.get("a/x") == "v2")
    }

    @Test func `a secret that requires an expectation still does`() async throws {
        try await envelope.put("a/x", "v1")
        _ = try await envelope.updateMetadata(
            SecretPath("a/x"), MetadataChange(casRequired: true), deadline: soon)
        await expectError(.invalidArgument) { try await envelope.put("a/x", "v2") }
        try await envelope.put("a/x", "v2", expecting: 1)
    }

    @Test func `writes go on over deleted and destroyed versions and after removal`() async throws {
        let path = try SecretPath("a/x")
        try await envelope.put("a/x", "v1")
        try await envelope.delete(path, versions: [], deadline: soon)
        #expect(try await envelope.put("a/x", "v2").number == 2)
        try await envelope.destroy(path, versions: [2], deadline: soon)
        #expect(try await envelope.put("a/x", "v3").number == 3)
        try await envelope.undelete(path, versions: [1], deadline: soon)
        #expect(try await envelope.get("a/x", 1) == "v1")
        await expectError(.versionDestroyed) { try await envelope.get("a/x", 2) }
        try await envelope.remove(path, deadline: soon)
        #expect(try await envelope.put("a/x", "anew").number == 1)
        #expect(try await envelope.get("a/x") == "anew")
    }

    @Test(arguments: [".postern/keyring/a", ".postern/x", ".postern-more/x", ".postern"])
    func `reserved paths are refused by every method`(text: String) async throws {
        try await envelope.put("a/x", "v")
        let path = try SecretPath.stored(text)
        let before = try await store.everything()
        await expectError(.invalidArgument) { try await envelope.read(path, version: nil, deadline: soon) }
        await expectError(.invalidArgument) {
            try await envelope.write(path, Payload(value: SecretBytes("x")), expecting: nil, deadline: soon)
        }
        await expectError(.invalidArgument) { try await envelope.delete(path, versions: [], deadline: soon) }
        await expectError(.invalidArgument) { try await envelope.undelete(path, versions: [1], deadline: soon) }
        await expectError(.invalidArgument) { try await envelope.destroy(path, versions: [1], deadline: soon) }
        await expectError(.invalidArgument) { try await envelope.remove(path, deadline: soon) }
        await expectError(.invalidArgument) { try await envelope.describe(path, deadline: soon) }
        await expectError(.invalidArgument) {
            try await envelope.updateMetadata(path, MetadataChange(maxVersions: 1), deadline: soon)
        }
        await expectError(.invalidArgument) {
            try await envelope.list(ListQuery(prefix: PathPrefix(path), recursive: true), deadline: soon)
        }
        #expect(try await store.everything() == before)
    }
}
