// The fake's ways to an access token.

import Crypto
import CryptoExtras
import Foundation
import NIOHTTP1
import Synchronization

extension FakeGoogle {
    private static let scope = "https://www.googleapis.com/auth/cloudkms"

    /// The metadata server: answers only who says that it is no browser.
    func metadata(_ request: ServerRequest) -> ServerAnswer {
        let path = "/computeMetadata/v1/instance/service-accounts/default/token"
        guard request.method == .GET, request.header("Metadata-Flavor") == "Google",
            request.target == path + "?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloudkms"
        else { return .text(403, "Forbidden") }
        return .json(200, token(), [("Metadata-Flavor", "Google")])
    }

    /// RFC 7523: a signed assertion for a token.
    func exchangeAssertion(_ request: ServerRequest) -> ServerAnswer {
        let form = form(request)
        guard request.method == .POST, form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer",
            let assertion = form["assertion"]
        else { return .json(400, #"{"error":"unsupported_grant_type"}"#) }
        let parts = assertion.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = object(parts[0]), let claims = object(parts[1]),
            let signature = base64URL(parts[2]), header["alg"] as? String == "RS256", header["typ"] as? String == "JWT",
            header["kid"] as? String == "key-1",
            signer.publicKey.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: Data("\(parts[0]).\(parts[1])".utf8),
                padding: .insecurePKCS1v1_5)
        else { return .json(400, #"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#) }
        guard claims["iss"] as? String == Self.account, claims["aud"] as? String == url + "/token",
            claims["scope"] as? String == Self.scope, let issued = claims["iat"] as? Int,
            let expires = claims["exp"] as? Int, expires > issued, expires - issued <= 3_600,
            abs(Date().timeIntervalSince1970 - Double(issued)) < 600
        else { return .json(400, #"{"error":"invalid_grant","error_description":"Invalid JWT."}"#) }
        return .json(200, token())
    }

    /// RFC 8693: somebody else's token for one of Google's.
    func exchangeSubject(_ request: ServerRequest) -> ServerAnswer {
        let form = form(request)
        guard request.method == .POST, form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange",
            form["audience"] == Self.audience,
            form["requested_token_type"] == "urn:ietf:params:oauth:token-type:access_token",
            form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt",
            form["subject_token"] == Self.subjectToken
        else { return .json(400, #"{"error":"invalid_grant","error_description":"canary"}"#) }
        if form["scope"] == Self.scope { return .json(200, token()) }
        guard form["scope"] == "https://www.googleapis.com/auth/cloud-platform" else {
            return .json(400, #"{"error":"invalid_scope"}"#)
        }
        let token = state.withLock { state in
            state.tokenCount += 1
            let token = "federated-canary-\(state.tokenCount)"
            state.federated.insert(token)
            return token
        }
        return .json(
            200, #"{"access_token":"\#(token)","expires_in":3600,"token_type":"Bearer","issued_token_type":"x"}"#)
    }

    /// `generateAccessToken` of the service account.
    func impersonate(_ request: ServerRequest) -> ServerAnswer {
        let bearer = String((request.header("Authorization") ?? "").dropFirst("Bearer ".count))
        guard request.target == "/v1/projects/-/serviceAccounts/\(Self.account):generateAccessToken",
            state.withLock({ $0.federated.contains(bearer) })
        else { return Self.error(403, "PERMISSION_DENIED", "canary") }
        guard request.text == #"{"scope":["\#(Self.scope)"]}"# else { return Self.error(400, "INVALID_ARGUMENT", "") }
        return .json(200, #"{"accessToken":"\#(newToken())","expireTime":"2099-01-01T00:00:00.123456789Z"}"#)
    }

    private func newToken() -> String {
        state.withLock { state in
            state.tokenCount += 1
            let token = "ya29.canary-\(state.tokenCount)"
            state.tokens[token] = state.tokenCount
            return token
        }
    }

    private func token() -> String {
        let lifetime = state.withLock { $0.tokenLifetime }
        return #"{"access_token":"\#(newToken())","expires_in":\#(lifetime),"token_type":"Bearer"}"#
    }

    private func form(_ request: ServerRequest) -> [String: String] {
        guard request.header("Content-Type") == "application/x-www-form-urlencoded" else { return [:] }
        let pairs = request.text.split(separator: "&").compactMap { pair -> (String, String)? in
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = String(parts[1]).removingPercentEncoding else { return nil }
            return (String(parts[0]), value)
        }
        return Dictionary(pairs) { first, _ in first }
    }

    private func base64URL(_ text: Substring) -> Data? {
        guard !text.contains("=") else { return nil }
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.count % 4) % 4))
    }

    private func object(_ part: Substring) -> [String: Any]? {
        base64URL(part).flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] }
    }
}
