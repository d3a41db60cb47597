// The JSON in which containers' and instances' metadata services hand out credentials.

import PosternCoding
import PosternProtocol

enum CredentialAnswer {
    /// Reads credentials.
    /// - Throws: `key_unavailable` if there are none in it.
    static func read(_ answer: CloudAnswer, from service: String) throws(SecretError) -> AWSCredentials {
        var id: String?
        var secret: SecretBytes?
        var token: SecretBytes?
        var expiresAt: Timestamp?
        var isRefused = false
        do throws(SecretError) {
            try answer.read { (json, name) throws(SecretError) in
                switch name {
                case "AccessKeyId": id = try json.string(name)
                case "SecretAccessKey": secret = try json.secret(name)
                case "Token": token = try json.secret(name)
                case "Expiration": expiresAt = Timestamp(rfc3339: try json.string(name))
                case "Code": isRefused = try json.string(name) != "Success"
                default: _ = try json.raw("A member")
                }
            }
        } catch {
            throw SecretError(.keyUnavailable, "\(service) answered with what are no credentials: \(error.message)")
        }
        guard !isRefused, let id, let secret, let token, let expiresAt else {
            throw SecretError(
                .keyUnavailable, "\(service) answered without credentials; see whether it has a role to give.")
        }
        return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiresAt: expiresAt)
    }
}
