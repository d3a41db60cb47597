// Credentials in environment variables.

import PosternProtocol

struct EnvironmentCredentials: AWSCredentialSource {
    let name = "the environment"
    let environment: AWSEnvironment

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        guard let id = environment["AWS_ACCESS_KEY_ID"] else { return nil }
        guard let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            throw SecretError(.keyUnavailable, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not.")
        }
        return AWSCredentials(
            accessKeyID: id, secretAccessKey: SecretBytes(secret),
            sessionToken: environment["AWS_SESSION_TOKEN"].map { SecretBytes($0) })
    }
}
