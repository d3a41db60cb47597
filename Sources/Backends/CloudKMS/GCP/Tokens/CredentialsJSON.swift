// The file that GOOGLE_APPLICATION_CREDENTIALS names: a service account's key, or how another identity is exchanged.

import JWTKit
import PosternCoding
import PosternProtocol

struct CredentialsJSON {
    private let path: String
    private var texts: [String: SecretBytes] = [:]
    private var source: SubjectSource?

    /// Where a federated token comes from, as the file says it.
    private struct SubjectSource {
        var file: String?
        var url: String?
        var headers: [String: String] = [:]
        var format = "text"
        var field: String?
    }

    /// Reads a file.
    /// - Throws: `key_unavailable` if it is not there or not JSON.
    init(path: String) throws(SecretError) {
        self.path = path
        guard let text = try CredentialFile.read(path, "GOOGLE_APPLICATION_CREDENTIALS") else {
            throw SecretError(.keyUnavailable, "GOOGLE_APPLICATION_CREDENTIALS names \(path), which is not there.")
        }
        var texts: [String: SecretBytes] = [:]
        var source: SubjectSource?
        do throws(SecretError) {
            try JSONReader.read(text) { (json, name) throws(SecretError) in
                if name == "credential_source", json.isAtObject {
                    source = try Self.subjectSource(&json)
                } else if json.isAtString {
                    texts[name] = try json.secret(name)
                } else {
                    _ = try json.raw("A member")
                }
            }
        } catch {
            throw SecretError(.keyUnavailable, "\(path) is not a credentials file of Google's: \(error.message)")
        }
        self.texts = texts
        self.source = source
    }

    /// The source of tokens that the file describes.
    /// - Throws: `key_unavailable` if it is not complete, or of a kind that is not supported.
    func source(_ asker: TokenAsker) throws(SecretError) -> any AccessTokenSource {
        let kind = try text("type")
        switch kind {
        case "service_account": return try serviceAccount(asker)
        case "external_account": return try federated(asker)
        default:
            throw unusable(
                "its type is \(shown(kind)), but only service_account and external_account are supported")
        }
    }

    private func serviceAccount(_ asker: TokenAsker) throws(SecretError) -> ServiceAccountToken {
        let key: Insecure.RSA.PrivateKey
        do {
            key = try Insecure.RSA.PrivateKey(pem: try text("private_key"))
        } catch let error as SecretError {
            throw error
        } catch {
            throw unusable("its private_key is not an RSA key in PEM of 2048 bits or more")
        }
        return ServiceAccountToken(
            email: try text("client_email"), keyID: texts["private_key_id"]?.text, key: key,
            tokenURL: try url("token_uri", default: "https://oauth2.googleapis.com/token"), asker: asker)
    }

    private func federated(_ asker: TokenAsker) throws(SecretError) -> FederatedToken {
        guard let source, (source.file == nil) != (source.url == nil) else {
            throw unusable("its credential_source must name a file or a url; AWS and executables are not supported")
        }
        guard ["text", "json"].contains(source.format), source.format == "text" || source.field != nil else {
            throw unusable("its credential_source's format must be text, or json with subject_token_field_name")
        }
        let place: SubjectToken.Place =
            if let file = source.file {
                .file(file)
            } else {
                .url(try ServiceURL(source.url ?? "", from: "The url in \(path)"), headers: source.headers)
            }
        return FederatedToken(
            audience: try text("audience"), subjectTokenType: try text("subject_token_type"),
            subject: SubjectToken(place: place, field: source.format == "json" ? source.field : nil),
            tokenURL: try url("token_url", default: "https://sts.googleapis.com/v1/token"),
            impersonationURL: texts["service_account_impersonation_url"] == nil
                ? nil : try url("service_account_impersonation_url", default: ""),
            asker: asker)
    }

    private static func subjectSource(_ json: inout JSONReader) throws(SecretError) -> SubjectSource {
        var source = SubjectSource()
        try json.object("credential_source") { (json, name) throws(SecretError) in
            switch name {
            case "file": source.file = try json.string(name)
            case "url": source.url = try json.string(name)
            case "headers":
                try json.object(name) { (json, name) throws(SecretError) in
                    source.headers[name] = try json.string("A header")
                }
            case "format":
                try json.object(name) { (json, name) throws(SecretError) in
                    switch name {
                    case "type": source.format = try json.string(name)
                    case "subject_token_field_name": source.field = try json.string(name)
                    default: _ = try json.raw("A member")
                    }
                }
            default: _ = try json.raw("A member")
            }
        }
        return source
    }

    private func url(_ name: String, default other: String) throws(SecretError) -> ServiceURL {
        try ServiceURL(texts[name]?.text ?? other, from: "\(name) in \(path)")
    }

    private func text(_ name: String) throws(SecretError) -> String {
        guard let text = texts[name], text.count > 0 else { throw unusable("it has no \(name)") }
        return text.text
    }

    private func unusable(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "The credentials file \(path) cannot be used: \(why).")
    }
}
