// Access tokens of the service account that a machine or pod of Google Cloud has.

import PosternProtocol

struct MetadataToken: AccessTokenSource {
    let server: ServiceURL
    let asker: TokenAsker

    func token(deadline: Deadline) async throws(SecretError) -> AccessToken {
        let path = "/computeMetadata/v1/instance/service-accounts/default/token?scopes="
        var request = CloudRequest.get(server.with(target: path + FormText.encode(AccessToken.scope)))
        request.headers = [("Metadata-Flavor", "Google")]
        return try await asker.token(
            request, from: "The metadata server at \(server.origin)",
            advice: "Give this machine or pod a service account, or set GOOGLE_APPLICATION_CREDENTIALS.",
            deadline: deadline
        ) { $0.header("Metadata-Flavor") == "Google" }
    }
}
