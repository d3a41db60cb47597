// A key-encryption key (KEK) in a local file: for development, and for machines whose disk is the safest place
// there is. Whoever reads the file reads everything wrapped under it.

import Crypto
public import PosternProtocol

/// Wraps keys with AES-256-GCM under a key that a file holds (mode 0600, owned by the running user).
///
/// The key is read once, when this is made. docs/envelope-format.md describes the file and the wrapped keys.
public final class LocalFileKeyWrapper: KeyWrapper {
    /// Which key this is: its id is `file:` and a hash of the key.
    public let descriptor: KeyDescriptor
    private let key: SymmetricKey

    /// Reads a key file.
    /// - Parameters:
    ///   - path: where the file is.
    ///   - createIfMissing: whether to make a file with a new key if there is none. Of several processes that do
    ///     so at once, one makes it and all use it.
    /// - Throws: `key_unavailable` if the file is not there or cannot be read or made, is more open than 0600,
    ///   belongs to another user, is a symbolic link or not a regular file, or is not a key file.
    public init(path: String, createIfMissing: Bool = false) throws(SecretError) {
        let file = KeyFile(path: path)
        if createIfMissing { try file.createIfMissing() }
        let bytes = try file.read()
        self.key = bytes.withUnsafeBytes { SymmetricKey(data: $0) }
        self.descriptor = KeyDescriptor(id: KeyFile.id(of: bytes), algorithm: "AES-256-GCM", origin: "file")
    }

    /// Encrypts a key.
    /// - Throws: `internal` for a key of no bytes or more than 64; `deadline_exceeded`, `cancelled`.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try deadline.check("the key was wrapped under \(descriptor.id)")
        return try WrappedKey.seal(key, under: self.key, id: descriptor.id, associatedData: associatedData)
    }

    /// Decrypts a key.
    /// - Throws: `integrity_failure` if the blob was wrapped under another key, bound to other data or changed;
    ///   `deadline_exceeded`, `cancelled`.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try deadline.check("the key was unwrapped with \(descriptor.id)")
        return try WrappedKey.open(blob, with: key, id: descriptor.id, associatedData: associatedData)
    }

    /// Wraps and unwraps a random key.
    public func health(deadline: Deadline) async -> BackendHealth {
        let probe = SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes(copying: $0) }
        let binding = Array("postern-health".utf8)
        do {
            let blob = try await wrap(probe, associatedData: binding, deadline: deadline)
            guard try await unwrap(blob, associatedData: binding, deadline: deadline) == probe else {
                return BackendHealth(isReady: false, detail: "a wrapped key came back different")
            }
            return BackendHealth(isReady: true, detail: "ok")
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }
}
