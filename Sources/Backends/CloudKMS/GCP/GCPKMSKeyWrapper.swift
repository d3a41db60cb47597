// A key-encryption key (KEK) that never leaves Google Cloud KMS.

public import NIOCore
import PosternCoding
public import PosternProtocol

/// Wraps keys under a symmetric key of Google Cloud KMS.
///
/// The associated data goes with every call as additional authenticated data, and everything that goes or comes has a
/// CRC-32C that the other end checks. docs/kms.md describes the blobs, the role that is needed, and where credentials
/// are looked for.
public final class GCPKMSKeyWrapper: KeyWrapper {
    /// Which key this is; the id is the key's resource name, without a version.
    public let descriptor: KeyDescriptor

    /// KMS takes no longer ones (64 KiB), and a wrapped key is far from it.
    private static let maximumCiphertextBytes = 8 << 10

    private let name: GCPKMSKeyName
    private let client: GCPKMSClient
    private let http: CloudHTTP

    /// Makes a wrapper without contact to Google, which may be away.
    /// - Parameters:
    ///   - name: the key.
    ///   - environment: the process's environment variables, which say what Google's tools read there.
    ///   - group: whose event loops do the work.
    ///   - clock: tells when access tokens expire.
    /// - Throws: `invalid_argument` for settings that make no sense.
    public convenience init(
        _ name: GCPKMSKeyName, environment: [String: String], group: any EventLoopGroup,
        clock: any WallClock = SystemWallClock()
    ) throws(SecretError) {
        try self.init(name, environment: environment, group: group, clock: clock, attempts: Attempts())
    }

    init(
        _ name: GCPKMSKeyName, environment: [String: String], group: any EventLoopGroup, clock: any WallClock,
        attempts: Attempts
    ) throws(SecretError) {
        self.name = name
        descriptor = KeyDescriptor(
            id: name.description, algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION", origin: "gcp-kms")
        http = try CloudHTTP(group: group)
        client = try GCPKMSClient(GCPEnvironment(environment), http: http, attempts: attempts, clock: clock)
    }

    /// Encrypts a key.
    /// - Throws: `internal` for a key of no bytes or more than 64; `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try WrappedKeySize.check(key)
        let answer = try await encrypt(key, associatedData, deadline)
        return WrappedBlob(
            .gcp, keyID: descriptor.id, label: answer.version, ciphertext: answer.payload.withUnsafeBytes { Array($0) }
        ).bytes
    }

    /// Decrypts a key.
    /// - Throws: `integrity_failure` if the blob was wrapped under another key, bound to other data or changed;
    ///   `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try deadline.check("a key was unwrapped with \(name)")
        let blob = try WrappedBlob(blob, of: .gcp, keyID: descriptor.id)
        guard blob.ciphertext.count <= Self.maximumCiphertextBytes else {
            throw SecretError(.integrityFailure, "A key wrapped under \(name) is too long for one; it was changed.")
        }
        var body = request(associatedData)
        body.set("ciphertext", base64: blob.ciphertext)
        body.set("ciphertextCrc32c", String(CRC32C.checksum(blob.ciphertext)))
        return try await client.call(.decrypt, name, body.body, deadline: deadline) { (answer) throws(SecretError) in
            let answer = try GCPAnswer(answer, payload: "plaintext")
            return answer.isPayloadWhole ? answer.payload : nil
        }
    }

    /// Whether a blob was made with another version of the key than the one that Google encrypts with now.
    /// - Throws: `integrity_failure` if it is no blob of this key; `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        let made = try WrappedBlob(blob, of: .gcp, keyID: descriptor.id).label
        let now = try await encrypt(SecretBytes(copying: [0]), Array("postern-version".utf8), deadline).version
        return made != now
    }

    /// Wraps and unwraps a random key.
    public func health(deadline: Deadline) async -> BackendHealth {
        await probe(deadline: deadline) { client.trouble }
    }

    /// Closes the connections.
    public func close() async throws {
        try await http.close()
    }

    private func encrypt(
        _ plaintext: SecretBytes, _ associatedData: [UInt8], _ deadline: Deadline
    ) async throws(SecretError) -> GCPAnswer {
        var body = request(associatedData)
        body.set("plaintext", base64: plaintext)
        body.set("plaintextCrc32c", String(CRC32C.checksum(plaintext)))
        return try await client.call(.encrypt, name, body.body, deadline: deadline) { (answer) throws(SecretError) in
            let answer = try GCPAnswer(answer, payload: "ciphertext")
            return answer.isPlaintextVerified && answer.isBindingVerified && answer.isPayloadWhole ? answer : nil
        }
    }

    /// What is the same for both ways. The key's name is bound too, although it is Google that chose the key by it:
    /// what cannot be passed off as something else in one place need not be thought about in another.
    private func request(_ associatedData: [UInt8]) -> JSONObject {
        let binding = WrappedBlob.header(.gcp, keyID: descriptor.id, label: "") + associatedData
        var body = JSONObject()
        body.set("additionalAuthenticatedData", base64: binding)
        body.set("additionalAuthenticatedDataCrc32c", String(CRC32C.checksum(binding)))
        return body
    }
}
