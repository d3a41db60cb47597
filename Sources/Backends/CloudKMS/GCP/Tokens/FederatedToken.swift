// Access tokens for a token of somebody else's that Google trusts (workload identity federation): it is exchanged at
// Google's Security Token Service (RFC 8693), and what comes of it for a service account's token where one is named.

import NIOCore
import PosternCoding
import PosternProtocol

struct FederatedToken: AccessTokenSource {
    let audience: String
    let subjectTokenType: String
    let subject: SubjectToken
    let tokenURL: ServiceURL
    /// Where a service account's token is to be had for the federated one.
    let impersonationURL: ServiceURL?
    let asker: TokenAsker

    private static let wideScope = "https://www.googleapis.com/auth/cloud-platform"

    func token(deadline: Deadline) async throws(SecretError) -> AccessToken {
        let subjectToken = try await subject.token(asker, deadline: deadline)
        let body = FormText.body([
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("audience", audience),
            // A service account's token is asked for with a scope that allows it.
            ("scope", impersonationURL == nil ? AccessToken.scope : Self.wideScope),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", subjectTokenType), ("subject_token", subjectToken.text),
        ])
        let federated = try await asker.token(
            .post(tokenURL, ByteBuffer(string: body), type: FormText.mediaType), from: "Google at \(tokenURL.origin)",
            advice: "See the pool's provider, and the token's issuer, audience and age.", deadline: deadline)
        guard let impersonationURL else { return federated }
        return try await impersonate(federated, impersonationURL, deadline)
    }

    private func impersonate(
        _ federated: AccessToken, _ url: ServiceURL, _ deadline: Deadline
    ) async throws(SecretError) -> AccessToken {
        var body = JSONObject()
        body.set("scope", [AccessToken.scope])
        var request = CloudRequest.post(url, body.body, type: "application/json")
        request.headers.append(("Authorization", "Bearer " + federated.token.text))
        let service = "Google at \(url.origin)"
        let answer = try await asker.answer(
            request, from: service, advice: "See who may impersonate the service account.", deadline: deadline)
        var token: SecretBytes?
        var expiresAt: Timestamp?
        do throws(SecretError) {
            try answer.read { (json, name) throws(SecretError) in
                switch name {
                case "accessToken": token = try json.secret(name)
                case "expireTime": expiresAt = Timestamp(rfc3339: try json.string(name))
                default: _ = try json.raw("A member")
                }
            }
        } catch {
            throw SecretError(.keyUnavailable, "\(service) answered with what is no token: \(error.message)")
        }
        guard let token, token.isOneWord, let expiresAt else {
            throw SecretError(.keyUnavailable, "\(service) answered without a token and its end.")
        }
        return AccessToken(token: token, expiresAt: expiresAt)
    }
}

/// Where the token comes from that is exchanged.
struct SubjectToken: Sendable {
    enum Place: Sendable {
        /// Read each time: it is replaced before it expires.
        case file(String)
        case url(ServiceURL, headers: [String: String])
    }

    let place: Place
    /// The member that holds it, where it is within a JSON object.
    let field: String?

    func token(_ asker: TokenAsker, deadline: Deadline) async throws(SecretError) -> SecretBytes {
        let text: SecretBytes
        let what: String
        switch place {
        case .file(let path):
            what = "The federated token's file \(path)"
            guard let found = try CredentialFile.read(path, "The federated token's file") else {
                throw SecretError(.keyUnavailable, "\(what) is not there.")
            }
            text = found
        case .url(let url, let headers):
            what = "The federated token's source at \(url.origin)"
            var request = CloudRequest.get(url)
            request.headers = headers.map { ($0.key, $0.value) }
            let answer = try await asker.answer(
                request, from: what, advice: "See the credentials file.", deadline: deadline)
            text = answer.body.withUnsafeReadableBytes { SecretBytes(copying: $0) }
        }
        guard let token = try found(in: text, what), token.isOneWord else {
            throw SecretError(.keyUnavailable, "\(what) does not hold a token.")
        }
        return token
    }

    private func found(in text: SecretBytes, _ what: String) throws(SecretError) -> SecretBytes? {
        guard let field else { return text.withUnsafeBytes { SecretBytes(copying: $0.trimmed) } }
        var token: SecretBytes?
        do throws(SecretError) {
            try JSONReader.read(text) { (json, name) throws(SecretError) in
                if name == field { token = try json.secret(name) } else { _ = try json.raw("A member") }
            }
        } catch {
            throw SecretError(.keyUnavailable, "\(what) is not the JSON that it should be: \(error.message)")
        }
        return token
    }
}
