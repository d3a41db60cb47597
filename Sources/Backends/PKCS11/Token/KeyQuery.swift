// Which key on a token.

import CP11Kit
import PosternProtocol

/// What a key is found by: its class, and its label or id or both.
struct KeyQuery: Hashable, Sendable, CustomStringConvertible {
    enum Class: String, Hashable, Sendable {
        case secret = "secret-key"
        case `private`
        case `public`

        var value: UInt {
            switch self {
            case .secret: UInt(CKO_SECRET_KEY)
            case .private: UInt(CKO_PRIVATE_KEY)
            case .public: UInt(CKO_PUBLIC_KEY)
            }
        }
    }

    let label: String?
    let id: [UInt8]?
    var keyClass: Class

    var template: Template {
        var attributes: [(UInt, Template.Value)] = [(UInt(CKA_CLASS), .number(keyClass.value))]
        if let label { attributes.append((UInt(CKA_LABEL), .bytes(Array(label.utf8)))) }
        if let id { attributes.append((UInt(CKA_ID), .bytes(id))) }
        return Template(attributes)
    }

    /// As in `the secret-key with label kek`.
    var description: String {
        let names = [label.map { "label \($0)" }, id.map { "id \($0.hexadecimal)" }].compactMap(\.self)
        return "the \(keyClass.rawValue) with \(names.joined(separator: " and "))"
    }
}
