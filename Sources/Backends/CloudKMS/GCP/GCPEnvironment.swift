// What Google's tools read from the environment: where its services are, and proof of who calls.

import PosternProtocol

/// The environment variables of a process. An empty one counts as not set.
struct GCPEnvironment: Sendable {
    private let variables: [String: String]

    init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// A variable's value.
    subscript(name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Where Cloud KMS listens: `CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS`, or Google's address.
    func endpoint() throws(SecretError) -> ServiceURL {
        let name = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"
        let url = try ServiceURL(self[name] ?? "https://cloudkms.googleapis.com", from: name)
        guard url.target == "/" else {
            throw SecretError(.invalidArgument, "\(name) is \"\(url)\": write it without a path.")
        }
        return url
    }

    /// Where access tokens come from: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, or the metadata server.
    /// - Throws: `key_unavailable` if the file is not there, or is of a kind that is not supported.
    func tokenSource(
        http: CloudHTTP, attempts: Attempts, clock: any WallClock
    ) throws(SecretError) -> any AccessTokenSource {
        let asker = TokenAsker(http: http, attempts: attempts, clock: clock)
        guard let path = self["GOOGLE_APPLICATION_CREDENTIALS"] else {
            let name = "GCE_METADATA_HOST"
            let host = self[name] ?? "metadata.google.internal"
            return MetadataToken(
                server: try ServiceURL(
                    "http://" + host, from: name, plainHosts: ["metadata.google.internal", "169.254.169.254"]),
                asker: asker)
        }
        return try CredentialsJSON(path: path).source(asker)
    }
}
