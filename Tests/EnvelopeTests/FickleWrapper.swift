import PosternProtocol
import Synchronization

/// A key wrapper that can tell what is old, and that a test can make wrap what it does not open, or lie.
final class FickleWrapper: KeyWrapper {
    let descriptor: KeyDescriptor
    let opens = Mutex(true)
    let lies = Mutex(false)
    let isOld = Mutex(false)
    private let key: TestKeyWrapper

    init(id: String = "fickle:1", key: TestKeyWrapper = TestKeyWrapper("inner")) {
        descriptor = KeyDescriptor(id: id, algorithm: "AES-256-GCM", origin: "test")
        self.key = key
    }

    func wrap(_ key: SecretBytes, associatedData: [UInt8], deadline: Deadline) async throws(SecretError) -> [UInt8] {
        try await self.key.wrap(key, associatedData: associatedData, deadline: deadline)
    }

    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        guard opens.withLock({ $0 }) else { throw SecretError(.integrityFailure, "It does not open.") }
        let bytes = try await key.unwrap(blob, associatedData: associatedData, deadline: deadline)
        return lies.withLock { $0 } ? SecretBytes(copying: bytes.bytes.map { ~$0 }) : bytes
    }

    func health(deadline: Deadline) async -> BackendHealth { BackendHealth(isReady: true, detail: "ok") }

    func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        isOld.withLock { $0 }
    }
}
