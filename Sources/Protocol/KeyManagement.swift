// The contract of whoever manages keys in front of a store: Envelope does; the pipeline and the admin API use it.

/// Manages the keys that protect a store. Safe with several gateways on one store.
public protocol KeyManagement: Sendable {
    /// Every key, with its dates.
    /// - Throws: the store's errors.
    func register(deadline: Deadline) async throws(SecretError) -> KeyRegister

    /// Opens every version of every domain key with every configured key-encryption key, and compares.
    /// - Parameter domain: only this domain, or nil for all.
    /// - Throws: the store's errors, `not_found` for a domain without a key. A key-encryption key that fails is a
    ///   result, not an error.
    func verify(domain: String?, deadline: Deadline) async throws(SecretError) -> KeyVerification

    /// Makes a new version of a domain's key, which new secrets are encrypted under. Older versions stay for reads.
    /// - Parameters:
    ///   - domain: the domain.
    ///   - dryRun: only say what would be.
    /// - Returns: the domain as it is, or would be.
    /// - Throws: `not_found` for a domain without a key, `key_unavailable` unless every configured key-encryption key
    ///   wraps the new key and opens it again, `integrity_failure` for one that was destroyed.
    func rotate(_ domain: String, dryRun: Bool, deadline: Deadline) async throws(SecretError) -> KeyRegister.Domain

    /// Orders work that some gateway on the store will do, whether or not this one lives.
    /// - Throws: `invalid_argument`, `conflict` if a job of this kind and scope is under way.
    func start(_ order: KeyJobOrder, by principal: String, deadline: Deadline) async throws(SecretError) -> KeyJob

    /// The jobs, newest first.
    func jobs(deadline: Deadline) async throws(SecretError) -> [KeyJob]

    /// Marks a superseded version of a domain's key as retired. It goes on being readable.
    /// - Throws: `conflict` while something names the version, or no job of kind `references` has looked since nobody
    ///   can write under it any more; `not_found`, `invalid_argument` for the current version.
    func retire(
        _ domain: String, version: Int, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain

    /// Asks for a domain's key to be destroyed. Nothing happens until somebody else approves.
    /// - Parameters:
    ///   - domain: the domain.
    ///   - confirmation: the domain's name once more.
    ///   - principal: who asks.
    /// - Throws: `invalid_argument` if the confirmation is not the name, `not_found`, `conflict` if it is destroyed.
    func requestDestruction(
        of domain: String, confirmation: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain

    /// Destroys a domain's key: removes every wrap of every version. Nothing under it can be read again, by anybody.
    /// - Parameters:
    ///   - domain: the domain.
    ///   - principal: who approves; another than who asked.
    /// - Throws: `conflict` if nobody asked or the time for approval is over, `permission_denied` to who asked.
    func approveDestruction(
        of domain: String, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyRegister.Domain
}
