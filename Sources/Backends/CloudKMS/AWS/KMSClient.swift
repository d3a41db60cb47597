// Calls to AWS KMS (JSON 1.1, API version 2014-11-01): signed, repeated where that helps, refusals in words.

import NIOCore
import PosternCoding
import PosternProtocol

/// AWS KMS in one region.
struct KMSClient: Sendable {
    /// What is asked of a key.
    enum Operation: String {
        case encrypt = "Encrypt"
        case decrypt = "Decrypt"
        case describe = "DescribeKey"
    }

    private let url: ServiceURL
    private let signer: SigV4Signer
    private let http: CloudHTTP
    private let attempts: Attempts
    private let clock: any WallClock
    private let credentials: Renewing<AWSCredentials>

    /// Makes a client.
    /// - Throws: `invalid_argument`, `key_unavailable` for settings that make no sense.
    init(
        _ environment: AWSEnvironment, region: String, http: CloudHTTP, attempts: Attempts, clock: any WallClock
    ) throws(SecretError) {
        url = try environment.endpoint("kms", region: region)
        signer = SigV4Signer(region: region, service: "kms")
        self.http = http
        self.attempts = attempts
        self.clock = clock
        let chain = try CredentialChain(environment, region: region, http: http, attempts: attempts)
        credentials = Renewing("credentials for AWS", margin: .seconds(300), clock: clock) {
            (deadline) throws(SecretError) in
            guard let found = try await chain.credentials(deadline: deadline) else {
                throw SecretError(.keyUnavailable, "There are no credentials for AWS.")
            }
            return Renewing.Fetched(value: found, expiresAt: found.expiresAt)
        }
    }

    /// Why the credentials that are used cannot be renewed, if that is so.
    var trouble: String? { credentials.trouble }

    /// Asks something of a key.
    /// - Parameters:
    ///   - key: the key's name, for messages.
    ///   - member: reads one member of the answer's object.
    /// - Throws: `key_unavailable`; `integrity_failure` if KMS says so of a ciphertext; `deadline_exceeded`,
    ///   `cancelled`.
    func call(
        _ operation: Operation, _ body: ByteBuffer, key: String, deadline: Deadline,
        _ member: (inout JSONReader, String) throws(SecretError) -> Void
    ) async throws(SecretError) {
        var lease = try await lease(deadline)
        var hasNewCredentials = false
        try await attempts.run("AWS KMS was asked", deadline: deadline) { (attemptDeadline) throws(Attempts.Failure) in
            let answer: CloudAnswer
            do throws(CloudFailure) {
                answer = try await http.send(request(operation, body, lease.value), deadline: attemptDeadline)
            } catch {
                throw error.failure("AWS KMS at \(url.origin)")
            }
            guard answer.isSuccess else {
                let refusal = KMSRefusal(answer, operation: operation, key: key)
                if refusal.isOfCredentials, !hasNewCredentials {
                    hasNewCredentials = true
                    do throws(SecretError) {
                        lease = try await credentials.replacement(for: lease, deadline: deadline)
                    } catch {
                        throw .lasting(error)
                    }
                    throw .passing(refusal.failure.error)
                }
                throw refusal.failure
            }
            do throws(SecretError) {
                try answer.read(member)
            } catch {
                throw .passing(
                    SecretError(
                        .keyUnavailable,
                        "AWS KMS at \(url.origin) answered with what makes no sense: \(error.message) Is it AWS?"))
            }
        }
    }

    private func lease(_ deadline: Deadline) async throws(SecretError) -> Renewing<AWSCredentials>.Lease {
        try deadline.check("AWS KMS was asked")
        do throws(SecretError) {
            return try await credentials.lease(deadline: min(deadline, .after(attempts.longest)))
        } catch  where error.code == .deadlineExceeded && !deadline.hasPassed {
            throw SecretError(
                .keyUnavailable, "Credentials for AWS could not be had in time.", retryAfterSeconds: 1)
        }
    }

    private func request(_ operation: Operation, _ body: ByteBuffer, _ credentials: AWSCredentials) -> CloudRequest {
        let type = "application/x-amz-json-1.1"
        let headers = [(name: "Content-Type", value: type), ("X-Amz-Target", "TrentService.\(operation.rawValue)")]
        let signed = SigV4Signer.Request(
            method: "POST", target: url.target, headers: headers + [("Host", url.authority)],
            body: Array(body.readableBytesView))
        var request = CloudRequest.post(url, body, type: type)
        request.headers += headers.dropFirst() + signer.headers(for: signed, credentials: credentials, at: clock.now())
        return request
    }
}
