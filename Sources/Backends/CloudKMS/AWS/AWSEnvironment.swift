// What AWS's tools read from the environment and the shared files: region, endpoints, proof of who calls.

import PosternProtocol

/// The environment variables of a process. An empty one counts as not set.
struct AWSEnvironment: Sendable {
    private let variables: [String: String]

    init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// A variable's value.
    subscript(name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether a variable says true.
    func isTrue(_ name: String) -> Bool { self[name]?.lowercased() == "true" }

    /// The region of what does not say its own: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's.
    func region() throws(SecretError) -> String? {
        var found = self["AWS_REGION"] ?? self["AWS_DEFAULT_REGION"]
        if found == nil { found = try AWSProfile(self)["region"] }
        guard let region = found else { return nil }
        // It becomes part of a host's name.
        guard region.utf8.count <= 64,
            region.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
        else {
            throw SecretError(.invalidArgument, "\"\(region.prefix(64))\" is not a region of AWS; see AWS_REGION.")
        }
        return region
    }

    /// Where a service listens: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or where AWS has it in the region.
    /// - Parameter service: `kms` or `sts`.
    func endpoint(_ service: String, region: String) throws(SecretError) -> ServiceURL {
        for name in ["AWS_ENDPOINT_URL_\(service.uppercased())", "AWS_ENDPOINT_URL"] {
            guard let given = self[name] else { continue }
            let url = try ServiceURL(given, from: name)
            guard url.target == "/" else {
                throw SecretError(.invalidArgument, "\(name) is \"\(given.prefix(200))\": write it without a path.")
            }
            return url
        }
        // AWS has no STS of that name in GovCloud: its only one conforms.
        let isConforming = isTrue("AWS_USE_FIPS_ENDPOINT") && !(service == "sts" && region.hasPrefix("us-gov-"))
        return try ServiceURL(
            "https://\(service)\(isConforming ? "-fips" : "").\(region).\(Self.domain(of: region))",
            from: "the endpoint")
    }

    /// The domain of a region's endpoints.
    private static func domain(of region: String) -> String {
        let others = [
            ("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"), ("us-iso-", "c2s.ic.gov"),
            ("us-isob-", "sc2s.sgov.gov"), ("us-isof-", "csp.hci.ic.gov"), ("eu-isoe-", "cloud.adc-e.uk"),
        ]
        return others.first { region.hasPrefix($0.0) }?.1 ?? "amazonaws.com"
    }
}
