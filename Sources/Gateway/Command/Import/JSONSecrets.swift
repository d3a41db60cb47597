// Secrets in a JSON file: {"path": "value", "other/path": {"user": "x", "password": "y"}}.

import PosternCoding
import PosternProtocol

/// Reads JSON files of secrets.
enum JSONSecrets {
    /// Reads a file's text.
    /// - Throws: `invalid_argument` naming what is neither a text nor an object of texts.
    static func parse(_ text: SecretBytes) throws(SecretError) -> [(name: String, fields: [Payload.Field])] {
        var secrets: [(name: String, fields: [Payload.Field])] = []
        try JSONReader.read(text) { (json, name) throws(SecretError) in
            let what = "The secret \"\(shown(name))\""
            var fields: [Payload.Field] = []
            if json.isAtObject {
                try json.object(what) { (json, field) throws(SecretError) in
                    fields.append(
                        .init(
                            name: field, value: try json.secret("The field \"\(shown(field))\" of \"\(shown(name))\"")))
                }
                guard !fields.isEmpty else { throw SecretError(.invalidArgument, "\(what) has no fields.") }
            } else {
                fields = [.init(name: Payload.valueField, value: try json.secret(what))]
            }
            secrets.append((name, fields))
        }
        return secrets
    }
}
