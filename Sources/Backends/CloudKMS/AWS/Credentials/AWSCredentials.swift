// What proves to AWS who calls.

import PosternProtocol

/// Credentials of AWS, for a while or for good.
struct AWSCredentials: Sendable {
    /// Names the credentials; not secret.
    let accessKeyID: String
    let secretAccessKey: SecretBytes
    /// Goes with temporary credentials.
    var sessionToken: SecretBytes?
    /// When they stop working; nil if they do not.
    var expiresAt: Timestamp?
}

/// A place where credentials may be.
protocol AWSCredentialSource: Sendable {
    /// What it is, for people.
    var name: String { get }

    /// The credentials.
    /// - Returns: nil if nothing says that there are any: then the next source is asked.
    /// - Throws: `key_unavailable` if there should be some but they cannot be had; `deadline_exceeded`, `cancelled`.
    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials?
}
