import Crypto
import Foundation
import LocalKey
import PosternProtocol
import Testing

@Suite struct WrapTests {
    private let folder: TemporaryFolder
    private let wrapper: LocalFileKeyWrapper
    private let key = SecretBytes(copying: UInt8(0)..<32)
    private let binding = Array("domain llm".utf8)

    init() throws {
        folder = try TemporaryFolder()
        wrapper = try LocalFileKeyWrapper(path: folder.path("key"), createIfMissing: true)
    }

    @Test(arguments: [1, 16, 32, 64])
    func `a wrapped key comes back`(length: Int) async throws {
        let key = SecretBytes(copying: (0..<length).map { UInt8($0) })
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
        let again = try LocalFileKeyWrapper(path: folder.path("key"))
        #expect(try await again.unwrap(blob, associatedData: binding, deadline: soon) == key)
    }

    @Test func `a key wrapped twice gives two blobs, and neither shows it`() async throws {
        let a = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        let b = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(a != b)
        #expect(!Data(a).contains(Data(UInt8(0)..<8)))
    }

    @Test(arguments: [0, 65, 4_096])
    func `what is not a small key is not wrapped`(length: Int) async throws {
        let key = SecretBytes(copying: [UInt8](repeating: 1, count: length))
        let error = await #expect(throws: SecretError.self) {
            try await wrapper.wrap(key, associatedData: [], deadline: soon)
        }
        #expect(error?.code == .internalError)
    }

    @Test func `a blob with any byte changed, cut or added does not open`() async throws {
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        for position in blob.indices {
            for bit in [UInt8(1), 0x80] {
                var changed = blob
                changed[position] ^= bit
                await expectIntegrityFailure(changed, "byte \(position)")
            }
            await expectIntegrityFailure(Array(blob.prefix(position)), "cut to \(position)")
            await expectIntegrityFailure(Array(blob.dropFirst(position + 1)), "without the first \(position + 1)")
        }
        await expectIntegrityFailure(blob + [0], "a byte more")
        await expectIntegrityFailure(blob + [UInt8](repeating: 0, count: 300), "many bytes more")
    }

    @Test func `a blob opens only with what it was bound to`() async throws {
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        for other in [[], Array("domain llN".utf8), binding + [0], Array(binding.dropLast())] {
            await expectIntegrityFailure(blob, "another binding", binding: other)
        }
    }

    @Test func `with the wrong key file, the error names both keys`() async throws {
        let other = try LocalFileKeyWrapper(path: folder.path("other"), createIfMissing: true)
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        let error = await #expect(throws: SecretError.self) {
            try await other.unwrap(blob, associatedData: binding, deadline: soon)
        }
        #expect(error?.code == .integrityFailure)
        #expect(error?.message.contains(wrapper.descriptor.id) == true)
        #expect(error?.message.contains(other.descriptor.id) == true)
    }

    @Test func `the documented vector unwraps, and is what the primitives say`() async throws {
        let file = """
            postern-key-v1
            id file:f64ba42b7fa0cbd4
            key ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=
            """
        let blob =
            "011566696c653a66363462613432623766613063626434e0e1e2e3e4e5e6e7e8e9eaeb13ce3c752353e0f1822b6d7b8c90fd"
            + "b185f95d3ec121753f0d79d72c50275adc32835db31c7c1db066330cd360c8963c"
        let binding =
            "0015706f737465726e2d646f6d61696e2d6b65792d763100036c6c6d404142434445464748494a4b4c4d4e4f00000001"
        let vector = try LocalFileKeyWrapper(path: folder.file("vector", file))
        let unwrapped = try await vector.unwrap(bytes(blob), associatedData: bytes(binding), deadline: soon)
        #expect(unwrapped == key)

        let header = [1, 21] + Array("file:f64ba42b7fa0cbd4".utf8)
        let box = try AES.GCM.seal(
            Data(UInt8(0)..<32), using: SymmetricKey(data: Data(UInt8(0x20)..<0x40)),
            nonce: AES.GCM.Nonce(data: Data(UInt8(0xE0)..<0xEC)),
            authenticating: Data("postern-local-wrap-v1".utf8) + Data(header) + Data(bytes(binding)))
        #expect(try header + Array(#require(box.combined)) == bytes(blob))

        let guide = try String(contentsOf: documentation, encoding: .utf8)
        #expect(guide.contains(blob))
        #expect(guide.contains(binding))
    }

    @Test func `a call past its deadline or cancelled does nothing`() async throws {
        let late = Deadline.after(.seconds(-1))
        let error = await #expect(throws: SecretError.self) {
            try await wrapper.wrap(key, associatedData: [], deadline: late)
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(await wrapper.health(deadline: late).isReady == false)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await #expect(throws: SecretError.self) {
                try await wrapper.unwrap([1], associatedData: [], deadline: soon)
            }
        }
        task.cancel()
        #expect(await task.value?.code == .cancelled)
    }

    private func expectIntegrityFailure(_ blob: [UInt8], _ what: String, binding: [UInt8]? = nil) async {
        let error = await #expect(throws: SecretError.self, "\(what)") {
            try await wrapper.unwrap(blob, associatedData: binding ?? self.binding, deadline: soon)
        }
        #expect(error?.code == .integrityFailure, "\(what)")
    }

    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
    }

    private var documentation: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/envelope-format.md")
    }
}
