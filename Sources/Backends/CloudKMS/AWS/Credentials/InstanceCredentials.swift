// Credentials of the role of an EC2 instance, from its metadata service, version 2 only: version 1 answers whoever
// can make somebody on the machine follow a URL.

import NIOCore
import NIOHTTP1
import PosternProtocol

struct InstanceCredentials: AWSCredentialSource {
    let name = "the instance's metadata service"
    let environment: AWSEnvironment
    let http: CloudHTTP
    let attempts: Attempts

    private static let plainHosts: Set<String> = ["169.254.169.254", "fd00:ec2::254"]
    private static let roles = "/latest/meta-data/iam/security-credentials/"

    func credentials(deadline: Deadline) async throws(SecretError) -> AWSCredentials? {
        guard !environment.isTrue("AWS_EC2_METADATA_DISABLED") else { return nil }
        let url = try url()
        return try await attempts.run("\(url.origin) gave credentials", deadline: deadline) {
            (deadline) throws(Attempts.Failure) in
            let token = try await token(url, deadline)
            let roles = try await ask(url.with(target: Self.roles), token, deadline)
            let role = String(buffer: roles.body).split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            guard !role.isEmpty, role.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !role.contains("/") else {
                throw .lasting(SecretError(.keyUnavailable, "This instance has no role; give it an instance profile."))
            }
            let answer = try await ask(url.with(target: Self.roles + role), token, deadline)
            do throws(SecretError) {
                return try CredentialAnswer.read(answer, from: service(url))
            } catch {
                throw .passing(error)
            }
        }
    }

    private func service(_ url: ServiceURL) -> String { "The instance's metadata service at \(url.origin)" }

    private func url() throws(SecretError) -> ServiceURL {
        let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
        if let given = environment[name] {
            return try ServiceURL(given, from: name, plainHosts: Self.plainHosts)
        }
        let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        return try ServiceURL(
            isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254", from: name, plainHosts: Self.plainHosts)
    }

    /// The token that proves that this is no redirected browser. It is used at once, and never again.
    private func token(_ url: ServiceURL, _ deadline: Deadline) async throws(Attempts.Failure) -> String {
        var request = CloudRequest(method: .PUT, url: url.with(target: "/latest/api/token"))
        request.headers = [("X-aws-ec2-metadata-token-ttl-seconds", "60")]
        // Elsewhere than in EC2 nothing answers, and that must not take long.
        let answer: CloudAnswer
        do throws(CloudFailure) {
            answer = try await http.send(request, deadline: min(deadline, .after(.seconds(1))))
        } catch {
            throw error.failure(
                service(url), advice: "In a container, the instance's metadata hop limit must be 2 at least.")
        }
        let token = String(buffer: answer.body)
        guard answer.isSuccess, !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refused(answer, by: url)
        }
        return token
    }

    private func ask(
        _ url: ServiceURL, _ token: String, _ deadline: Deadline
    ) async throws(Attempts.Failure) -> CloudAnswer {
        var request = CloudRequest.get(url)
        request.headers = [("X-aws-ec2-metadata-token", token)]
        let answer: CloudAnswer
        do throws(CloudFailure) {
            answer = try await http.send(request, deadline: deadline)
        } catch {
            throw error.failure(service(url))
        }
        guard answer.status != 404 else {
            throw .lasting(SecretError(.keyUnavailable, "This instance has no role; give it an instance profile."))
        }
        guard answer.isSuccess else { throw refused(answer, by: url) }
        return answer
    }

    private func refused(_ answer: CloudAnswer, by url: ServiceURL) -> Attempts.Failure {
        // A token that has just been given is refused only in passing.
        let isPassing = answer.status >= 500 || answer.status == 429 || answer.status == 401
        let error = SecretError(.keyUnavailable, "\(service(url)) answered with status \(answer.status).")
        return Attempts.Failure(error: error, isPassing: isPassing)
    }
}
