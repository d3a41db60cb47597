// A key-encryption key (KEK) that never leaves AWS KMS.

import Crypto
public import NIOCore
import PosternCoding
public import PosternProtocol

/// Wraps keys under a symmetric key of AWS KMS.
///
/// Every call carries an encryption context, which AWS binds to the ciphertext and shows in CloudTrail:
/// `postern-binding`, the SHA-256 of the associated data, and where there is a label `postern-domain`. docs/kms.md
/// describes it, the blobs, the rights that are needed, and where credentials are looked for.
public final class AWSKMSKeyWrapper: KeyWrapper {
    /// Which key this is; the id is the key's ARN. While an alias has not been resolved yet, it is the alias: read it
    /// after a call that succeeded.
    public var descriptor: KeyDescriptor {
        KeyDescriptor(
            id: (name.isAlias ? arn.current : nil) ?? name.description, algorithm: "SYMMETRIC_DEFAULT",
            origin: "aws-kms")
    }

    /// KMS takes no longer ones.
    private static let maximumCiphertextBytes = 6_144

    private let name: AWSKMSKeyName
    private let client: KMSClient
    private let http: CloudHTTP
    private let label: @Sendable ([UInt8]) -> String?
    /// The key's ARN; asked for once where an alias is configured.
    private let arn: Renewing<String>

    /// Makes a wrapper without contact to AWS, which may be away.
    /// - Parameters:
    ///   - name: the key.
    ///   - environment: the process's environment variables, which say what AWS's tools read there.
    ///   - group: whose event loops do the work.
    ///   - clock: tells signatures' time, and when credentials expire.
    ///   - label: what CloudTrail shows of what a key is bound to, given the associated data; printable ASCII.
    /// - Throws: `invalid_argument` for settings that make no sense, among them no region; `key_unavailable` if a
    ///   shared file cannot be read.
    public convenience init(
        _ name: AWSKMSKeyName, environment: [String: String], group: any EventLoopGroup,
        clock: any WallClock = SystemWallClock(), label: @escaping @Sendable ([UInt8]) -> String? = { _ in nil }
    ) throws(SecretError) {
        try self.init(
            name, environment: environment, group: group, clock: clock, attempts: Attempts(), label: label)
    }

    init(
        _ name: AWSKMSKeyName, environment variables: [String: String], group: any EventLoopGroup,
        clock: any WallClock, attempts: Attempts, label: @escaping @Sendable ([UInt8]) -> String?
    ) throws(SecretError) {
        let environment = AWSEnvironment(variables)
        var region = name.region
        if region == nil { region = try environment.region() }
        guard let region else {
            throw SecretError(
                .invalidArgument, "\(name) does not say its region; write its ARN instead, or set AWS_REGION.")
        }
        let http = try CloudHTTP(group: group, authorities: environment["AWS_CA_BUNDLE"])
        let client = try KMSClient(environment, region: region, http: http, attempts: attempts, clock: clock)
        self.name = name
        self.http = http
        self.client = client
        self.label = label
        arn = Renewing("the ARN of \(name)", margin: .zero, clock: clock) { (deadline) throws(SecretError) in
            Renewing.Fetched(value: try await Self.describe(name, client, deadline), expiresAt: nil)
        }
    }

    /// Finds out which key an alias is of. Where that fails, goes on trying until it succeeds.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func resolve(deadline: Deadline) async throws(SecretError) {
        do throws(SecretError) {
            _ = try await keyID(deadline)
        } catch {
            Task { [weak self] in
                while !Task.isCancelled, let wrapper = self, wrapper.arn.current == nil {
                    // The next call would say what is wrong; so does health.
                    _ = try? await wrapper.keyID(.after(.seconds(10)))
                    // The only error is cancellation, which ends the loop.
                    try? await Task.sleep(for: .seconds(5))
                }
            }
            throw error
        }
    }

    /// Encrypts a key.
    /// - Throws: `internal` for a key of no bytes or more than 64; `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try WrappedKeySize.check(key)
        let id = try await keyID(deadline)
        let label = label(associatedData) ?? ""
        var body = Self.request(id, label: label, associatedData)
        body.set("Plaintext", base64: key)
        let ciphertext = try await ask(.encrypt, body, id: id, member: "CiphertextBlob", deadline)
        return WrappedBlob(.aws, keyID: id, label: label, ciphertext: ciphertext.withUnsafeBytes { Array($0) }).bytes
    }

    /// Decrypts a key.
    /// - Throws: `integrity_failure` if the blob was wrapped under another key, bound to other data or changed;
    ///   `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try deadline.check("a key was unwrapped with \(name)")
        let id = try await keyID(deadline)
        let blob = try WrappedBlob(blob, of: .aws, keyID: id)
        guard blob.ciphertext.count <= Self.maximumCiphertextBytes else {
            throw SecretError(.integrityFailure, "A key wrapped under \(id) is too long for one; it was changed.")
        }
        var body = Self.request(id, label: blob.label, associatedData)
        body.set("CiphertextBlob", base64: blob.ciphertext)
        return try await ask(.decrypt, body, id: id, member: "Plaintext", deadline)
    }

    /// Wraps and unwraps a random key.
    public func health(deadline: Deadline) async -> BackendHealth {
        await probe(deadline: deadline) { client.trouble }
    }

    /// Closes the connections.
    public func close() async throws {
        try await http.close()
    }
}

extension AWSKMSKeyWrapper {
    private func keyID(_ deadline: Deadline) async throws(SecretError) -> String {
        guard name.isAlias else { return name.description }
        return try await arn.lease(deadline: deadline).value
    }

    /// What is the same for both ways.
    private static func request(_ id: String, label: String, _ associatedData: [UInt8]) -> JSONObject {
        var context = JSONObject()
        context.set("postern-binding", SHA256.hash(data: associatedData).hexadecimal)
        if !label.isEmpty { context.set("postern-domain", label) }
        var body = JSONObject()
        body.set("KeyId", id)
        body.set("EncryptionAlgorithm", "SYMMETRIC_DEFAULT")
        body.set("EncryptionContext", context)
        return body
    }

    /// Asks KMS, and makes sure that it used the key that was meant.
    private func ask(
        _ operation: KMSClient.Operation, _ body: JSONObject, id: String, member: String, _ deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        var found: SecretBytes?
        var used: String?
        try await client.call(operation, body.body, key: id, deadline: deadline) { (json, name) throws(SecretError) in
            switch name {
            case member: found = try Base64.decode(try json.secret(name), name)
            case "KeyId": used = try json.string(name)
            default: _ = try json.raw("A member")
            }
        }
        guard let found, used == id else {
            throw SecretError(
                .keyUnavailable, "AWS KMS answered for \(id) with another key, or with nothing. Is it AWS?")
        }
        return found
    }

    /// The ARN of the key that an alias is of.
    private static func describe(
        _ name: AWSKMSKeyName, _ client: KMSClient, _ deadline: Deadline
    ) async throws(SecretError) -> String {
        var body = JSONObject()
        body.set("KeyId", name.description)
        var arn = ""
        try await client.call(.describe, body.body, key: name.description, deadline: deadline) {
            (json, member) throws(SecretError) in
            guard member == "KeyMetadata" else {
                _ = try json.raw("A member")
                return
            }
            try json.object(member) { (json, member) throws(SecretError) in
                if member == "Arn" { arn = try json.string(member) } else { _ = try json.raw("A member") }
            }
        }
        guard let key = try? AWSKMSKeyName(arn), !key.isAlias else {
            // What is no ARN of a key is not repeated.
            throw SecretError(.keyUnavailable, "AWS KMS did not say which key \(name) is of. Is it AWS?")
        }
        return arn
    }
}
