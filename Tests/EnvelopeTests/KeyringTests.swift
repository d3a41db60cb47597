import BackendConformance
import Foundation
import LocalKey
import PosternProtocol
import Testing

@testable import Envelope

@Suite struct KeyringTests {
    private let store = DishonestStore()
    private let wrapper = TestKeyWrapper("test:1")

    private func gateway(_ wrappers: [any KeyWrapper]? = nil) throws -> EnvelopeBackend {
        try EnvelopeBackend(store: store, keyWrappers: wrappers ?? [wrapper], options: .patient)
    }

    @Test func `gateways and tasks that race for a domain's first write agree on one key`() async throws {
        for round in 0..<20 {
            let gateways = try (0..<4).map { _ in try gateway() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<40 {
                    let gateway = gateways[index % gateways.count]
                    group.addTask { try await gateway.put("d\(round)/s\(index % 20)", "v\(index % 20)") }
                }
                try await group.waitForAll()
            }
            let record = try await store.describe(keyringPath("d\(round)"), deadline: soon)
            #expect(record.currentVersion == 1)
            for reader in gateways + [try gateway()] {
                for index in 0..<20 { #expect(try await reader.get("d\(round)/s\(index)") == "v\(index)") }
            }
        }
    }

    @Test func `each domain has a key of its own, kept when its last secret is removed`() async throws {
        let gateway = try gateway()
        for path in ["a/x", "a/y", "b/x", "c"] { try await gateway.put(path, "v") }
        #expect(wrapper.wraps == 3)
        for path in ["a/x", "a/y"] { try await gateway.remove(SecretPath(path), deadline: soon) }
        try await self.gateway().put("a/x", "again")
        #expect(wrapper.wraps == 3)
        #expect(try await gateway.get("a/x") == "again")
    }

    @Test(arguments: [400, 401, 495, 512])
    func `a domain as long as a path may be has a key record`(length: Int) async throws {
        let domain = String(repeating: "d", count: length)
        try await gateway().put(domain, "v")
        #expect(try await gateway().get(domain) == "v")
    }

    @Test func `a domain key is wrapped under every wrapper, and any one opens it`() async throws {
        let wrappers = ["hsm:1", "kms:2", "file:3"].map { TestKeyWrapper($0) }
        try await gateway(wrappers).put("a/x", "v")
        for wrapper in wrappers {
            #expect(wrapper.wraps == 1)
            #expect(try await gateway([wrapper]).get("a/x") == "v", "\(wrapper.descriptor.id) alone")
        }
        wrappers[0].goDown()
        wrappers[1].fail(SecretError(.integrityFailure, "Not my blob."))
        #expect(try await gateway(wrappers).get("a/x") == "v")
    }

    @Test func `where one wrapper is down a domain is not made with the others only`() async throws {
        let up = TestKeyWrapper("hsm:1")
        let down = TestKeyWrapper("kms:2")
        down.goDown()
        let gateway = try gateway([up, down])
        await expectError(.keyUnavailable, containing: "kms:2") { try await gateway.put("a/x", "v") }
        #expect(try await store.honest.everything().isEmpty, "nothing is half done")
        down.comeBack()
        try await gateway.put("a/x", "v")
    }

    @Test func `a gateway with other keys than the record has says which`() async throws {
        try await gateway().put("a/x", "v")
        let error = await expectError(.keyUnavailable, containing: "test:1") {
            try await gateway([TestKeyWrapper("test:2")]).get("a/x")
        }
        #expect(error?.message.contains("test:2") == true)
        await expectError(.keyUnavailable) { try await gateway([TestKeyWrapper("test:2")]).put("a/x", "v") }
    }

    @Test func `another key under the same id, and another key file, open nothing`() async throws {
        try await gateway().put("a/x", "v")
        await expectError(.integrityFailure) { try await gateway([TestKeyWrapper("test:1")]).get("a/x") }
        await expectError(.integrityFailure) { try await gateway([TestKeyWrapper("test:1")]).put("a/y", "v") }

        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("envelope-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try ["a", "b"].map {
            try LocalFileKeyWrapper(path: folder.appendingPathComponent($0).path, createIfMissing: true)
        }
        try await gateway([files[0]]).put("f/x", "v")
        #expect(try await gateway([files[0]]).get("f/x") == "v")
        let error = await expectError(.keyUnavailable, containing: files[0].descriptor.id) {
            try await gateway([files[1]]).get("f/x")
        }
        #expect(error?.message.contains(files[1].descriptor.id) == true)
    }

    @Test func `one wrapper refusing and another down is an outage, not damage`() async throws {
        let wrappers = ["hsm:1", "kms:2"].map { TestKeyWrapper($0) }
        try await gateway(wrappers).put("a/x", "v")
        wrappers[0].fail(SecretError(.integrityFailure, "Not my blob."))
        wrappers[1].goDown()
        await expectError(.keyUnavailable) { try await gateway(wrappers).get("a/x") }
        wrappers[1].fail(SecretError(.integrityFailure, "Not mine either."))
        await expectError(.integrityFailure) { try await gateway(wrappers).get("a/x") }
    }

    @Test(arguments: RecordChange.all)
    fileprivate func `a changed key record is refused, for reads and writes`(change: RecordChange) async throws {
        for path in ["a/x", "b/x"] { try await gateway().put(path, "v") }
        let other = try await store.read(keyringPath("b"), version: nil, deadline: soon)
            .payload.fields[0].value.text
        try store.change(keyringPath("a")) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            let changed = change.apply(text, other)
            #expect(changed != text)
            return Array(changed.utf8)
        }
        await expectError(.integrityFailure) { try await gateway().get("a/x") }
        await expectError(.integrityFailure) { try await gateway().put("a/x", "w") }
        await expectError(.integrityFailure) { try await gateway().put("a/new", "w") }
        #expect(try await gateway().get("b/x") == "v")
        try store.answer(keyringPath("a"), nil)
        #expect(try await gateway().get("a/x") == "v", "and nothing was written over it")
    }

    @Test func `a key record with a byte flipped anywhere never gives a wrong value`() async throws {
        try await gateway().put("a/x", "v")
        let record = try await store.read(keyringPath("a"), version: nil, deadline: soon).payload.fields[0].value
        for position in 0..<record.count {
            try store.change(keyringPath("a")) { bytes in
                var bytes = bytes
                bytes[position] ^= 1
                return bytes
            }
            // Dates and names of algorithms are for people; a flip there is harmless.
            do { #expect(try await gateway().get("a/x") == "v") } catch let error as SecretError {
                #expect([.integrityFailure, .keyUnavailable].contains(error.code), "byte \(position): \(error)")
            }
        }
    }

    @Test func `no key is made for a domain that has secrets but no record`() async throws {
        for path in ["a/x", "b"] { try await gateway().put(path, "v") }
        for domain in ["a", "b"] {
            let record = try keyringPath(domain)
            let saved = try await store.read(record, version: nil, deadline: soon).payload
            let path = domain == "a" ? "a/x" : "b"
            try await store.delete(record, versions: [], deadline: soon)
            await expectError(.integrityFailure, containing: "deleted") { try await gateway().get(path) }
            await expectError(.integrityFailure, containing: "deleted") { try await gateway().put(path, "w") }
            try await store.remove(record, deadline: soon)
            await expectError(.integrityFailure, containing: "no key record") { try await gateway().get(path) }
            for target in [path, "\(domain)/new"] {
                await expectError(.integrityFailure, containing: "no key record") {
                    try await gateway().put(target, "w")
                }
            }
            await expectError(.notFound) { try await store.read(record, version: nil, deadline: soon) }
            _ = try await store.write(record, saved, expecting: 0, deadline: soon)
            #expect(try await gateway().get(path) == "v", "restoring the record restores the secrets")
        }
    }

    @Test func `a read makes no key`() async throws {
        await expectError(.notFound) { try await gateway().get("a/x") }
        #expect(try await store.honest.everything().isEmpty)
        #expect(wrapper.wraps == 0)
    }

    @Test func `an envelope whose domain key is unknown is refused though the wrapper is down`() async throws {
        try await gateway().put("a/x", "v")
        store.change(try SecretPath("a/x")) { $0.prefix(10) + [$0[10] ^ 1] + $0.dropFirst(11) }
        wrapper.goDown()
        await expectError(.integrityFailure, containing: "does not have") { try await gateway().get("a/x") }
    }

    @Test func `without wrappers, or with two of one id, there is no envelope`() throws {
        for wrappers in [[], [TestKeyWrapper("same"), TestKeyWrapper("same")]] {
            let error = #expect(throws: SecretError.self) { try gateway(wrappers) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `a record with an older key beside the current one serves both`() async throws {
        // What rotating a domain key leaves behind.
        let old = try gateway()
        try await old.put("a/x", "under the old key")
        let before = try KeyringRecord.parse(
            try await store.read(keyringPath("a"), version: nil, deadline: soon).payload, domain: "a")
        let name = DomainKeyName(
            id: try #require(DomainKeyID(hex: "0123456789abcdef0123456789abcdef")), version: 2)
        let blob = try await wrapper.wrap(
            SecretBytes(copying: [UInt8](repeating: 9, count: 32)),
            associatedData: KeyringRecord.associatedData(domain: "a", key: name), deadline: soon)
        let wrap = KeyringRecord.Wrap(kek: "test:1", algorithm: "AES-256-GCM", origin: "test", blob: Data(blob))
        let after = KeyringRecord(
            format: before.format, domain: "a", current: 2,
            keys: before.keys + [.init(version: 2, id: name.id.description, createdAt: "now", wraps: [wrap])])
        _ = try await store.write(keyringPath("a"), after.payload(), expecting: 1, deadline: soon)

        let new = try gateway()
        try await new.put("a/x", "under the new key")
        let envelope = try await store.read(SecretPath("a/x"), version: 2, deadline: soon).payload.fields[0].value.bytes
        #expect(Array(envelope[5..<25]) == name.id.bytes + [0, 0, 0, 2])
        for gateway in [old, new, try gateway()] {
            #expect(try await gateway.get("a/x", 1) == "under the old key")
            #expect(try await gateway.get("a/x", 2) == "under the new key")
        }
    }
}

/// One way of changing a key record, given its text and another domain's.
private struct RecordChange: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let apply: @Sendable (_ text: String, _ other: String) -> String

    static let all = [
        RecordChange(testDescription: "empty") { _, _ in "" },
        RecordChange(testDescription: "not JSON") { text, _ in String(text.dropLast()) },
        RecordChange(testDescription: "more after it") { text, _ in text + "{}" },
        RecordChange(testDescription: "another JSON") { _, _ in "[]" },
        RecordChange(testDescription: "another format") { text, _ in text.replacing("ring-v1", with: "ring-v2") },
        RecordChange(testDescription: "that of another domain") { _, other in other },
        RecordChange(testDescription: "another domain's key") { _, other in
            other.replacing("\"domain\":\"b\"", with: "\"domain\":\"a\"")
        },
        RecordChange(testDescription: "no keys") { text, _ in
            text.replacing(/"keys":\[.*\]/, with: "\"keys\":[]")
        },
        RecordChange(testDescription: "current is not there") { text, _ in
            text.replacing("\"current\":1", with: "\"current\":2")
        },
        RecordChange(testDescription: "another version") { text, _ in
            text.replacing("\"current\":1", with: "\"current\":2").replacing("\"version\":1", with: "\"version\":2")
        },
        RecordChange(testDescription: "a negative version") { text, _ in
            text.replacing("\"version\":1", with: "\"version\":-1")
        },
        RecordChange(testDescription: "an id that is none") { text, _ in
            text.replacing(/"id":"../, with: "\"id\":\"+1")
        },
        RecordChange(testDescription: "another blob") { text, _ in
            text.replacing(/"blob":"..../, with: "\"blob\":\"AAAA")
        },
        RecordChange(testDescription: "no blob") { text, _ in
            text.replacing(/"blob":"[^"]*"/, with: "\"blob\":\"\"")
        },
        RecordChange(testDescription: "a key twice") { text, _ in
            text.replacing(/"keys":\[(.*)\]/) { "\"keys\":[\($0.output.1),\($0.output.1)]" }
        },
    ]
}
