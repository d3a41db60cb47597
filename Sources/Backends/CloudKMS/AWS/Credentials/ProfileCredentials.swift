// Credentials in the shared files of AWS's tools, read again at each fetch: they may have been rotated.

import PosternProtocol

struct ProfileCredentials: AWSCredentialSource {
    let name = "the shared files"
    let environment: AWSEnvironment
    /// Makes the source of a role that a profile names with a token file.
    let webIdentity: @Sendable (WebIdentityRole) throws(SecretError) -> any AWSCredentialSource

    /// Ways to credentials that take another program or another call.
    private static let otherWays = [
        "source_profile", "credential_source", "credential_process", "sso_session", "sso_start_url",
    ]

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        let profile = try AWSProfile(environment)
        guard profile.exists else {
            guard environment["AWS_PROFILE"] == nil else {
                throw SecretError(
                    .keyUnavailable, "AWS_PROFILE names the profile \(profile.name), which no shared file has.")
            }
            return nil
        }
        if let role = profile["role_arn"], let tokenFile = profile["web_identity_token_file"] {
            let source = try webIdentity(
                WebIdentityRole(arn: role, tokenFile: tokenFile, sessionName: profile["role_session_name"]))
            return try await source.credentials(deadline: deadline)
        }
        if let id = profile["aws_access_key_id"], profile["role_arn"] == nil {
            guard let secret = profile.secret("aws_secret_access_key") else {
                throw SecretError(
                    .keyUnavailable,
                    "The profile \(profile.name) has aws_access_key_id in the shared files, but no aws_secret_access_key."
                )
            }
            return AWSCredentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: profile.secret("aws_session_token"))
        }
        guard let way = Self.otherWays.first(where: { profile[$0] != nil }) else { return nil }
        throw SecretError(
            .keyUnavailable,
            "The profile \(profile.name) gets its credentials by \(way), which Postern does not follow. Give it keys, "
                + "or role_arn with web_identity_token_file.")
    }
}
