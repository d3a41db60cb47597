// What proves to Google who calls.

import NIOCore
import PosternCoding
import PosternProtocol

/// An OAuth 2.0 access token.
struct AccessToken: Sendable {
    /// What it is good for: Cloud KMS and nothing else.
    static let scope = "https://www.googleapis.com/auth/cloudkms"

    let token: SecretBytes
    let expiresAt: Timestamp
}

/// A place where access tokens come from.
protocol AccessTokenSource: Sendable {
    /// A new token.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    func token(deadline: Deadline) async throws(SecretError) -> AccessToken
}

/// Asks for tokens: one request, tried again where that helps.
struct TokenAsker: Sendable {
    let http: CloudHTTP
    let attempts: Attempts
    let clock: any WallClock

    /// Asks, and reads the answer of a token endpoint (RFC 6749 §5.1): `access_token`, `expires_in`.
    /// - Parameters:
    ///   - service: who is asked, to start a sentence.
    ///   - advice: what a refusal is about; a sentence.
    ///   - isGenuine: whether an answer is the service's own.
    func token(
        _ request: CloudRequest, from service: String, advice: String, deadline: Deadline,
        isGenuine: @Sendable (CloudAnswer) -> Bool = { _ in true }
    ) async throws(SecretError) -> AccessToken {
        let answer = try await answer(request, from: service, advice: advice, deadline: deadline, isGenuine: isGenuine)
        var token: SecretBytes?
        var lifetime: Int?
        do throws(SecretError) {
            try answer.read { (json, name) throws(SecretError) in
                switch name {
                case "access_token": token = try json.secret(name)
                case "expires_in": lifetime = try json.integer(name)
                default: _ = try json.raw("A member")
                }
            }
        } catch {
            throw SecretError(.keyUnavailable, "\(service) answered with what is no token: \(error.message)")
        }
        guard let token, token.isOneWord, let lifetime, (1...86_400).contains(lifetime) else {
            throw SecretError(.keyUnavailable, "\(service) answered without a token and its lifetime.")
        }
        return AccessToken(token: token, expiresAt: clock.now().advanced(by: .seconds(lifetime)))
    }

    /// Asks until there is an answer that says yes.
    func answer(
        _ request: CloudRequest, from service: String, advice: String, deadline: Deadline,
        isGenuine: @Sendable (CloudAnswer) -> Bool = { _ in true }
    ) async throws(SecretError) -> CloudAnswer {
        try await attempts.run("\(request.url.origin) gave a token", deadline: deadline) {
            (deadline) throws(Attempts.Failure) in
            let answer: CloudAnswer
            do throws(CloudFailure) {
                answer = try await http.send(request, deadline: deadline)
            } catch {
                throw error.failure(service)
            }
            guard isGenuine(answer) else {
                throw .lasting(SecretError(.keyUnavailable, "\(service) does not answer as Google's does."))
            }
            guard answer.isSuccess else {
                let error = SecretError(
                    .keyUnavailable, "\(service) gives no token (status \(answer.status)). \(advice)")
                throw Attempts.Failure(error: error, isPassing: answer.status >= 500 || answer.status == 429)
            }
            return answer
        }
    }
}

extension SecretBytes {
    /// Whether it can go into a header as it is.
    var isOneWord: Bool { count > 0 && withUnsafeBytes { $0.allSatisfy { (0x21...0x7E).contains($0) } } }
}
