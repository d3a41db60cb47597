// Calls to Google Cloud KMS (REST, v1): with an access token, checksums both ways, repeated where that helps.

import NIOCore
import PosternCoding
import PosternProtocol

/// Google Cloud KMS.
struct GCPKMSClient: Sendable {
    /// What is asked of a key.
    enum Operation: String {
        case encrypt
        case decrypt
    }

    private let url: ServiceURL
    private let http: CloudHTTP
    private let attempts: Attempts
    private let tokens: Renewing<AccessToken>

    /// Makes a client.
    /// - Throws: `invalid_argument`, `key_unavailable` for settings that make no sense.
    init(
        _ environment: GCPEnvironment, http: CloudHTTP, attempts: Attempts, clock: any WallClock
    ) throws(SecretError) {
        url = try environment.endpoint()
        self.http = http
        self.attempts = attempts
        // Google's own metadata service hands out the same token until four minutes before its end.
        tokens = Renewing("an access token of Google", margin: .seconds(225), clock: clock) {
            (deadline) throws(SecretError) in
            let source = try environment.tokenSource(http: http, attempts: attempts, clock: clock)
            let token = try await source.token(deadline: deadline)
            return Renewing.Fetched(value: token, expiresAt: token.expiresAt)
        }
    }

    /// Why the token that is used cannot be renewed, if that is so.
    var trouble: String? { tokens.trouble }

    /// Asks something of a key.
    /// - Parameters:
    ///   - body: the request's object.
    ///   - read: makes a result of the answer; nil if it was damaged on the way, so that the call is made again.
    /// - Throws: `key_unavailable`; `integrity_failure` if KMS says so of a ciphertext; `deadline_exceeded`,
    ///   `cancelled`.
    func call<Value: Sendable>(
        _ operation: Operation, _ key: GCPKMSKeyName, _ body: ByteBuffer, deadline: Deadline,
        _ read: (CloudAnswer) throws(SecretError) -> Value?
    ) async throws(SecretError) -> Value {
        var lease = try await lease(deadline)
        var hasNewToken = false
        let target = url.with(target: "/v1/\(key):\(operation.rawValue)")
        return try await attempts.run("Google Cloud KMS was asked", deadline: deadline) {
            (attemptDeadline) throws(Attempts.Failure) in
            var request = CloudRequest.post(target, body, type: "application/json")
            request.headers.append(("Authorization", "Bearer " + lease.value.token.text))
            let answer: CloudAnswer
            do throws(CloudFailure) {
                answer = try await http.send(request, deadline: attemptDeadline)
            } catch {
                throw error.failure("Google Cloud KMS at \(url.origin)")
            }
            guard answer.isSuccess else {
                let refusal = GCPRefusal(answer, operation: operation, key: key)
                if answer.status == 401, !hasNewToken {
                    hasNewToken = true
                    do throws(SecretError) {
                        lease = try await tokens.replacement(for: lease, deadline: deadline)
                    } catch {
                        throw .lasting(error)
                    }
                    throw .passing(refusal.failure.error)
                }
                throw refusal.failure
            }
            return try judge(answer, read)
        }
    }

    private func judge<Value>(
        _ answer: CloudAnswer, _ read: (CloudAnswer) throws(SecretError) -> Value?
    ) throws(Attempts.Failure) -> Value {
        do throws(SecretError) {
            if let value = try read(answer) { return value }
        } catch {
            throw .passing(
                SecretError(
                    .keyUnavailable,
                    "Google Cloud KMS at \(url.origin) answered with what makes no sense: \(error.message) Is it "
                        + "Google?"
                ))
        }
        throw .passing(
            SecretError(
                .keyUnavailable,
                "What was sent to Google Cloud KMS or came from it was damaged on the way: the checksums do not match. "
                    + "See what is between."))
    }

    private func lease(_ deadline: Deadline) async throws(SecretError) -> Renewing<AccessToken>.Lease {
        try deadline.check("Google Cloud KMS was asked")
        do throws(SecretError) {
            return try await tokens.lease(deadline: min(deadline, .after(attempts.longest)))
        } catch  where error.code == .deadlineExceeded && !deadline.hasPassed {
            throw SecretError(
                .keyUnavailable, "An access token of Google could not be had in time.", retryAfterSeconds: 1)
        }
    }
}
