// Credentials from the agent beside a container: ECS task roles, EKS Pod Identity.

import PosternProtocol

struct ContainerCredentials: AWSCredentialSource {
    let name = "the container's credentials service"
    let environment: AWSEnvironment
    let http: CloudHTTP
    let attempts: Attempts

    /// Where the agents of ECS and EKS listen; over http nothing else but this machine is asked.
    private static let plainHosts: Set<String> = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        guard let url = try url() else { return nil }
        var request = CloudRequest.get(url)
        request.headers.append(("Accept", "application/json"))
        if let token = try authorization() { request.headers.append(("Authorization", token.text)) }
        let service = "The container's credentials service at \(url.origin)"
        return try await attempts.run("\(url.origin) gave credentials", deadline: deadline) {
            [request] (deadline) throws(Attempts.Failure) in
            let answer: CloudAnswer
            do throws(CloudFailure) {
                answer = try await http.send(request, deadline: deadline)
            } catch {
                throw error.failure(service)
            }
            guard answer.isSuccess else {
                let error = SecretError(.keyUnavailable, "\(service) answered with status \(answer.status).")
                throw Attempts.Failure(error: error, isPassing: answer.status >= 500 || answer.status == 429)
            }
            do throws(SecretError) {
                return try CredentialAnswer.read(answer, from: service)
            } catch {
                throw .lasting(error)
            }
        }
    }

    private func url() throws(SecretError) -> ServiceURL? {
        if let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
            guard relative.hasPrefix("/") else {
                throw SecretError(.invalidArgument, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must start with a slash.")
            }
            return try ServiceURL(
                "http://169.254.170.2" + relative, from: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                plainHosts: Self.plainHosts)
        }
        guard let full = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] else { return nil }
        return try ServiceURL(full, from: "AWS_CONTAINER_CREDENTIALS_FULL_URI", plainHosts: Self.plainHosts)
    }

    /// What the agent wants to see. The file goes first, and is read each time: it is replaced before it expires.
    private func authorization() throws(SecretError) -> SecretBytes? {
        if let file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
            return try CredentialFile.readLine(file, "The container's authorization token file")
        }
        guard let token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] else { return nil }
        guard !token.contains(where: \.isNewline) else {
            throw SecretError(.invalidArgument, "AWS_CONTAINER_AUTHORIZATION_TOKEN must be one line.")
        }
        return SecretBytes(token)
    }
}
