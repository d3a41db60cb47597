// A key-encryption key in Vault's Transit engine, which it never leaves.

import Crypto
public import PosternProtocol

/// Wraps keys with a Transit key: Vault encrypts and decrypts them, and nobody here ever has the key.
///
/// New wraps are made with the key's newest version; older ones open as long as Vault's `min_decryption_version` lets them.
/// docs/vault-transit.md has the format of the wrapped keys and the policy that the gateway needs.
public final class TransitKeyWrapper: KeyWrapper {
    /// Which key this is: its id is `transit:<mount>/<key>`.
    public let descriptor: KeyDescriptor
    private let engine: TransitEngine

    private static let maximumKeyBytes = 64
    /// Goes before the caller's associated data, so that what was wrapped here opens for nothing else that uses the key.
    private static let binding = Array("postern-transit-wrap-v1".utf8)

    private init(_ engine: TransitEngine, algorithm: String) {
        self.engine = engine
        descriptor = KeyDescriptor(id: engine.id, algorithm: algorithm, origin: "transit")
    }

    /// Opens a key, and makes sure by using it that it can wrap and unwrap, and that Vault holds to the associated data.
    /// - Parameters:
    ///   - session: the gateway at Vault.
    ///   - key: the key's name.
    ///   - mount: the path of the Transit mount.
    ///   - deadline: when to give up.
    /// - Throws: `invalid_argument` for malformed names; `key_unavailable` saying what is wrong with the key or the gateway's
    ///   rights, or that Vault cannot be reached; `deadline_exceeded`, `cancelled`.
    public static func open(
        _ session: VaultSession, key: String, mount: String = "transit", deadline: Deadline
    ) async throws(SecretError) -> TransitKeyWrapper {
        let engine = TransitEngine(
            vault: session.client, mount: try MountPath(mount), key: try VaultName(key, "A Transit key"))
        let wrapper = TransitKeyWrapper(engine, algorithm: try await engine.usableKey(deadline: deadline).algorithm)
        try await wrapper.probe(isThorough: true, deadline: deadline)
        return wrapper
    }

    /// Encrypts a key with the newest version of the Transit key.
    /// - Throws: `internal` for a key of no bytes or more than 64; `key_unavailable` saying what to do, `deadline_exceeded`,
    ///   `cancelled`.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try deadline.check("a key was wrapped under \(descriptor.id)")
        guard (1...Self.maximumKeyBytes).contains(key.count) else {
            throw SecretError(
                .internalError, "A key to wrap has 1 to \(Self.maximumKeyBytes) bytes, not \(key.count).")
        }
        // Where its policy lets it create keys, Vault answers a request to encrypt under a key that was deleted with a new key of
        // that name, and what is wrapped under the old one could never be told from damage.
        let found = try await engine.usableKey(deadline: deadline)
        guard found.algorithm == descriptor.algorithm else {
            throw engine.unavailable(
                "it was for \(descriptor.algorithm) at start and is for \(found.algorithm) now; restore the old one")
        }
        return try await engine.encrypt(key, binding: Self.binding + associatedData, deadline: deadline).bytes
    }

    /// Decrypts a key.
    /// - Throws: `integrity_failure` if the blob was changed, bound to other data or wrapped under another key;
    ///   `key_unavailable` saying what to do, `deadline_exceeded`, `cancelled`.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try deadline.check("a key was unwrapped with \(descriptor.id)")
        return try await engine.decrypt(
            TransitBlob(blob, key: descriptor.id), binding: Self.binding + associatedData, deadline: deadline)
    }

    /// Tells whether a wrapped key was made with an older version of the Transit key than the newest, so that wrapping it anew
    /// would bring it up to date.
    /// - Throws: `integrity_failure` if it is no wrapped key of Transit's; `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        let blob = try TransitBlob(blob, key: descriptor.id)
        return try await engine.usableKey(deadline: deadline).latestVersion > blob.version
    }

    /// Wraps and unwraps a random key.
    public func health(deadline: Deadline) async -> BackendHealth {
        do throws(SecretError) {
            try await probe(isThorough: false, deadline: deadline)
            return BackendHealth(isReady: true, detail: "ok")
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }

    /// Wraps and unwraps a random key.
    /// - Parameter isThorough: whether to see also that it does not open for other associated data: servers from before Transit
    ///   had any pass over it in silence.
    private func probe(isThorough: Bool, deadline: Deadline) async throws(SecretError) {
        let probe = SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes(copying: $0) }
        let binding = Array("postern-health".utf8)
        let blob = try await wrap(probe, associatedData: binding, deadline: deadline)
        guard try await unwrap(blob, associatedData: binding, deadline: deadline) == probe else {
            throw engine.unavailable("a wrapped key came back different")
        }
        guard isThorough else { return }
        do throws(SecretError) {
            _ = try await unwrap(blob, associatedData: binding + [0], deadline: deadline)
        } catch  where error.code == .integrityFailure {
            return
        }
        throw engine.unavailable("this version of Vault takes no notice of associated_data; use a newer one")
    }
}
