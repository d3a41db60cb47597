// Access tokens for the key of a service account: a JSON web token (RFC 7519) signed with RS256 (RFC 7518 §3.3) is
// exchanged for one (RFC 7523).

import JWTKit
import NIOCore
import PosternProtocol

struct ServiceAccountToken: AccessTokenSource {
    let email: String
    let keyID: String?
    let key: Insecure.RSA.PrivateKey
    let tokenURL: ServiceURL
    let asker: TokenAsker

    func token(deadline: Deadline) async throws(SecretError) -> AccessToken {
        let body = FormText.body([
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", try await assertion()),
        ])
        return try await asker.token(
            .post(tokenURL, ByteBuffer(string: body), type: FormText.mediaType), from: "Google at \(tokenURL.origin)",
            advice: "See whether the key of \(email) is still valid, and this machine's clock.", deadline: deadline)
    }

    /// Says who asks, for what, until when.
    private func assertion() async throws(SecretError) -> String {
        let now = Int(asker.clock.now().microseconds / 1_000_000)
        let claims = Claims(
            iss: email, scope: AccessToken.scope, aud: tokenURL.description, iat: now, exp: now + 3_600)
        let id = keyID.map { JWKIdentifier(string: $0) }
        do {
            return try await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256, kid: id).sign(claims, kid: id)
        } catch {
            throw SecretError(.internalError, "The key of \(email) could not sign.")
        }
    }

    private struct Claims: JWTPayload {
        let iss: String
        let scope: String
        let aud: String
        let iat: Int
        let exp: Int

        /// It is only ever made here, and verified elsewhere.
        func verify(using algorithm: some JWTAlgorithm) {}
    }
}
