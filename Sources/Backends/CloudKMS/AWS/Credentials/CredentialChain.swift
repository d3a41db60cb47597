// Where credentials are looked for, in order.

import PosternProtocol

/// The first source that has credentials wins. One that should have some but cannot give them ends the search: going on
/// with somebody else's would only hide it.
struct CredentialChain: AWSCredentialSource {
    let name = "AWS's credential sources"
    let sources: [any AWSCredentialSource]

    /// The sources that a process's environment leads to.
    /// - Parameter region: the key's; the process's own, where it has one, is nearer.
    init(_ environment: AWSEnvironment, region: String, http: CloudHTTP, attempts: Attempts) throws(SecretError) {
        var nearest = region
        if let own = try environment.region() { nearest = own }
        let service = try environment.endpoint("sts", region: nearest)
        let webIdentity: @Sendable (WebIdentityRole) -> any AWSCredentialSource = { role in
            WebIdentityCredentials(role: role, service: service, http: http, attempts: attempts)
        }
        var sources: [any AWSCredentialSource] = [
            EnvironmentCredentials(environment: environment),
            ProfileCredentials(environment: environment, webIdentity: webIdentity),
        ]
        if let role = try WebIdentityRole(environment) { sources.append(webIdentity(role)) }
        sources += [
            ContainerCredentials(environment: environment, http: http, attempts: attempts),
            InstanceCredentials(environment: environment, http: http, attempts: attempts),
        ]
        self.sources = sources
    }

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        var empty: [String] = []
        for source in sources {
            do throws(SecretError) {
                if let found = try await source.credentials(deadline: deadline) { return found }
            } catch  where error.code == .keyUnavailable && source is InstanceCredentials {
                // It is asked although nothing says that it is there.
                throw SecretError(
                    .keyUnavailable,
                    "There are no credentials for AWS in \(empty.joined(separator: ", ")); and this machine gave none: "
                        + error.message)
            }
            empty.append(source.name)
        }
        throw SecretError(
            .keyUnavailable, "There are no credentials for AWS: nothing was found in \(empty.joined(separator: ", ")).")
    }
}
