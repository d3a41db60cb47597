// Credentials of a role, for a token that somebody keeps fresh in a file: what pods in EKS have.

import NIOCore
import PosternProtocol

/// Which role is assumed, and with which token.
struct WebIdentityRole: Sendable {
    let arn: String
    let tokenFile: String
    let sessionName: String?

    init(arn: String, tokenFile: String, sessionName: String?) {
        self.arn = arn
        self.tokenFile = tokenFile
        self.sessionName = sessionName
    }

    /// The role that the environment names, if it does.
    init?(_ environment: AWSEnvironment) throws(SecretError) {
        guard let tokenFile = environment["AWS_WEB_IDENTITY_TOKEN_FILE"] else { return nil }
        guard let arn = environment["AWS_ROLE_ARN"] else {
            throw SecretError(.keyUnavailable, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not.")
        }
        self.init(arn: arn, tokenFile: tokenFile, sessionName: environment["AWS_ROLE_SESSION_NAME"])
    }
}

/// Asks the Security Token Service of the region (AssumeRoleWithWebIdentity, API version 2011-06-15). The call is not
/// signed: the token proves who calls.
struct WebIdentityCredentials: AWSCredentialSource {
    let name = "the web identity token"
    let role: WebIdentityRole
    let service: ServiceURL
    let http: CloudHTTP
    let attempts: Attempts

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        // Read each time: it is replaced before it expires.
        let token = try CredentialFile.readLine(role.tokenFile, "The web identity token file")
        let body = FormText.body([
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName ?? "postern"), ("WebIdentityToken", token.text),
        ])
        let request = CloudRequest.post(service, ByteBuffer(string: body), type: FormText.mediaType)
        return try await attempts.run("AWS gave credentials for \(role.arn)", deadline: deadline) {
            (deadline) throws(Attempts.Failure) in
            let answer: CloudAnswer
            do throws(CloudFailure) {
                answer = try await http.send(request, deadline: deadline)
            } catch {
                throw error.failure("The Security Token Service of AWS at \(service.origin)")
            }
            return try judge(answer)
        }
    }

    private func judge(_ answer: CloudAnswer) throws(Attempts.Failure) -> AWSCredentials {
        let text = answer.body.withUnsafeReadableBytes { SecretBytes(copying: $0) }
        guard answer.isSuccess else {
            let code = XMLText.element("Code", of: text)?.text ?? ""
            let shown = code.utf8.count <= 60 && code.utf8.allSatisfy { (0x41...0x7A).contains($0) } ? code : ""
            let error = SecretError(
                .keyUnavailable,
                "AWS does not let \(role.arn) be assumed with the token in \(role.tokenFile): status \(answer.status) "
                    + "\(shown). See the role's trust policy and the token's issuer, audience and age.")
            throw Attempts.Failure(
                error: error, isPassing: answer.status >= 500 || code == "IDPCommunicationError" || code == "Throttling"
            )
        }
        guard let id = XMLText.element("AccessKeyId", of: text), let token = XMLText.element("SessionToken", of: text),
            let secret = XMLText.element("SecretAccessKey", of: text),
            let expiration = XMLText.element("Expiration", of: text).flatMap({ Timestamp(rfc3339: $0.text) })
        else {
            throw .passing(
                SecretError(.keyUnavailable, "\(service.origin) answered, but with no credentials; is it AWS?"))
        }
        return AWSCredentials(
            accessKeyID: id.text, secretAccessKey: secret, sessionToken: token, expiresAt: expiration)
    }
}
