// The contract that hides where a key-encryption key (KEK) lives: a file, an HSM, a cloud KMS, Transit.

/// Wraps and unwraps small keys under a key-encryption key that never leaves its home.
public protocol KeyWrapper: Sendable {
    /// Which key this is. Where that is found out at the first contact, as with an alias, it is final once a call has
    /// succeeded.
    var descriptor: KeyDescriptor { get }

    /// Encrypts a key.
    /// - Parameters:
    ///   - key: the key to wrap, at most 64 bytes.
    ///   - associatedData: what the wrapped key is bound to; the same must be given to unwrap it.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: an opaque blob that says for itself how it was made.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`, `internal`.
    func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8]

    /// Decrypts a key.
    /// - Parameters:
    ///   - blob: what ``wrap(_:associatedData:deadline:)`` returned.
    ///   - associatedData: what it was bound to.
    ///   - deadline: when the caller stops waiting.
    /// - Throws: `integrity_failure` if the blob, its binding or the key is not the right one;
    ///   `key_unavailable`, `deadline_exceeded`, `cancelled`, `internal`.
    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes

    /// Says whether the key can be used now, by using it.
    func health(deadline: Deadline) async -> BackendHealth

    /// Says whether a blob was made under something older than what ``wrap(_:associatedData:deadline:)`` uses now, as
    /// where a key has versions of its own. Without an implementation every blob counts as older.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`, `internal`.
    func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool
}

extension KeyWrapper {
    /// Whoever cannot tell wraps anew.
    public func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool { true }
}

/// Which key-encryption key a wrapper uses.
public struct KeyDescriptor: Sendable, Equatable, Hashable {
    /// A stable name that tells this key from all others; stored beside what it wrapped.
    public let id: String
    /// The algorithm, as in `AES-256-GCM`.
    public let algorithm: String
    /// Where the key lives, as in `file`, `pkcs11`, `aws-kms`.
    public let origin: String

    /// Makes a descriptor.
    public init(id: String, algorithm: String, origin: String) {
        self.id = id
        self.algorithm = algorithm
        self.origin = origin
    }
}
