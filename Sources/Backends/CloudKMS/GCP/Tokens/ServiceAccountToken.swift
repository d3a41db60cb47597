// Access tokens for the key of a service account: a JSON web token (RFC 7519) signed with RS256 (RFC 7518 §3.3) is
// exchanged for one (RFC 7523).

import Crypto
import CryptoExtras
import FoundationEssentials
import NIOCore
import PosternCoding
import PosternProtocol

struct ServiceAccountToken: AccessTokenSource {
    let email: String
    let keyID: String?
    let key: _RSA.Signing.PrivateKey
    let tokenURL: ServiceURL
    let asker: TokenAsker

    func token(deadline: Deadline) async throws(SecretError) -> AccessToken {
        let body = FormText.body([
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", try assertion()),
        ])
        return try await asker.token(
            .post(tokenURL, ByteBuffer(string: body), type: FormText.mediaType), from: "Google at \(tokenURL.origin)",
            advice: "See whether the key of \(email) is still valid, and this machine's clock.", deadline: deadline)
    }

    /// Says who asks, for what, until when.
    private func assertion() throws(SecretError) -> String {
        var header = JSONObject()
        header.set("alg", "RS256")
        header.set("typ", "JWT")
        if let keyID { header.set("kid", keyID) }
        let now = asker.clock.now().microseconds / 1_000_000
        var claims = JSONObject()
        claims.set("iss", email)
        claims.set("scope", AccessToken.scope)
        claims.set("aud", tokenURL.description)
        claims.set("iat", Int(now))
        claims.set("exp", Int(now + 3_600))
        let signed = Self.base64URL(header.body.readableBytesView) + "." + Self.base64URL(claims.body.readableBytesView)
        do {
            let signature = try key.signature(for: Data(signed.utf8), padding: .insecurePKCS1v1_5)
            return signed + "." + Self.base64URL(signature.rawRepresentation)
        } catch {
            throw SecretError(.internalError, "The key of \(email) could not sign.")
        }
    }

    /// Base64 with the URL-safe alphabet and without padding (RFC 4648 §5).
    private static func base64URL(_ bytes: some Collection<UInt8>) -> String {
        var text = ByteBuffer()
        Array(bytes).withUnsafeBytes { Base64.append($0, to: &text) }
        return String(
            String(buffer: text).compactMap { character in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }
}
