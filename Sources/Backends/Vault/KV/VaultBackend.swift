// Secrets in the KV version 2 engine of HashiCorp Vault or OpenBao.

public import PosternProtocol

/// A backend that keeps secrets in a KV v2 mount, readable there by Vault's own tools, and reads what they write.
///
/// A read is one request. Every write is a compare-and-set, also where the caller expects nothing: so a write whose
/// answer is lost can be told from one that never happened. docs/vault-format.md says what is stored.
///
/// The clocks of the gateway and of Vault must agree: whether a version that deletes itself is past its time is judged by
/// Vault where it is read, and by the gateway where it is only described.
public final class VaultBackend: SecretBackend {
    /// The name in logs: `vault`.
    public let name = "vault"

    let mount: KVMount
    let clock: any WallClock
    /// Tells how the gateway's own token is, for health.
    let tokens: TokenKeeper?

    /// Makes a backend.
    /// - Parameters:
    ///   - client: reaches Vault.
    ///   - mount: where the KV v2 engine is mounted, as in `secret` or `team/kv`.
    ///   - token: whose token reads and writes: the gateway's own, or a caller's, to whom Vault's refusals are then told as
    ///     `permission_denied`.
    ///   - clock: tells which versions are past their time.
    ///   - tokens: tells how the gateway's own token is, for health.
    init(
        client: VaultClient, mount: String, token: VaultRequest.Token = .own, clock: any WallClock = SystemWallClock(),
        tokens: TokenKeeper? = nil
    ) {
        self.mount = KVMount(client: client, name: mount, token: token)
        self.clock = clock
        self.tokens = tokens
    }

    /// The same store asked in another way.
    init(mount: KVMount, clock: any WallClock) {
        self.mount = mount
        self.clock = clock
        tokens = nil
    }
}

// Reading.
extension VaultBackend {
    /// Reads a version with its payload, in one request.
    /// - Throws: beside the contract's errors, `integrity_failure` and `too_large` for what others stored and is no payload.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try deadline.check("reading \(path)")
        // Vault takes 0, and what is below it, for the current version.
        if let version, version < 1 { throw .notFound(path, version: version) }
        let url = mount.url("data", path) + (version.map { "?version=\($0)" } ?? "")
        let answer = try await mount.ask(.get(url), deadline: deadline)
        let read = try KVRead(answer)
        guard let found = read.version, let number = found.number else {
            if !answer.isSuccess { throw .notFound(path, version: version) }
            throw SecretError(.backendUnavailable, "\(answer.node) answered with something other than \(path).")
        }
        guard answer.isSuccess else {
            throw found.isDestroyed ? .versionDestroyed(path, version: number) : .versionDeleted(path, version: number)
        }
        guard let json = read.json, version ?? number == number else {
            throw SecretError(.backendUnavailable, "\(answer.node) answered with another version of \(path).")
        }
        let info = try found.info(number: number, at: nil, found.history, clock)
        guard info.state == .available else { throw .versionDeleted(path, version: number) }
        let payload = try PayloadEncoding.decode(json, "Version \(number) of \(path)")
        return SecretVersion(path: path, info: info, payload: payload, labels: found.labels)
    }

    /// Describes a secret and its versions, in one request. A secret of which Vault has metadata but no version yet is
    /// described with none.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try deadline.check("describing \(path)")
        return try await metadata(path, deadline: deadline).description(path, at: clock)
    }

    /// A secret's metadata.
    /// - Throws: `not_found`.
    func metadata(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> KVMetadata {
        guard let metadata = try await metadataIfThere(path, deadline: deadline) else { throw .notFound(path) }
        return metadata
    }

    /// A secret's metadata, or nil if there is no such secret.
    func metadataIfThere(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> KVMetadata? {
        let answer = try await mount.ask(.get(mount.url("metadata", path)), deadline: deadline)
        return answer.isSuccess ? try KVMetadata(answer) : nil
    }
}
