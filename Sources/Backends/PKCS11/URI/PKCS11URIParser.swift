// Reads `pkcs11:` URIs (RFC 7512 §2.3): attributes of the path between `;`, of the query between `&`.

import PosternProtocol

struct PKCS11URIParser {
    private let text: String
    private var uri = PKCS11URI()
    private var seen: Set<String> = []

    init(_ text: String) {
        self.text = text
    }

    mutating func parse() throws(SecretError) -> PKCS11URI {
        let scheme = "pkcs11:"
        guard text.lowercased().hasPrefix(scheme) else {
            throw SecretError(
                .invalidArgument, "A key or token on an HSM is named by a URI that starts with `pkcs11:`.")
        }
        let parts = text.dropFirst(scheme.count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        for (name, value) in try attributes(parts[0], separator: ";", allowed: Self.pathCharacters) {
            try setPath(name, value)
        }
        if parts.count > 1 {
            for (name, value) in try attributes(parts[1], separator: "&", allowed: Self.queryCharacters) {
                try setQuery(name, value)
            }
        }
        return uri
    }

    // RFC 7512 §2.3: unreserved, and of the reserved characters these; the query has `/`, `?` and `|` more.
    private static let pathCharacters = Set("-._~:[]@!$'()*+,=&".utf8)
    private static let queryCharacters = Set("-._~:[]@!$'()*+,=/?|".utf8)

    private mutating func attributes(
        _ part: Substring, separator: Character, allowed: Set<UInt8>
    ) throws(SecretError) -> [(String, [UInt8])] {
        var found: [(String, [UInt8])] = []
        guard !part.isEmpty else { return found }
        for item in part.split(separator: separator, omittingEmptySubsequences: false) {
            guard let equals = item.firstIndex(of: "="), equals > item.startIndex else {
                throw bad("between `\(separator)` there are attributes as in `token=name`")
            }
            let name = String(item[..<equals])
            guard
                name.utf8.allSatisfy({ Self.isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") })
            else { throw bad("the name of an attribute has only letters, digits, `-` and `_`") }
            guard seen.insert(name).inserted else { throw bad("it has `\(name)` twice") }
            found.append((name, try decode(item[item.index(after: equals)...], of: name, allowed: allowed)))
        }
        return found
    }

    private func decode(_ value: Substring, of name: String, allowed: Set<UInt8>) throws(SecretError) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                else {
                    throw bad("in `\(name)`, `%` is followed by two hex digits")
                }
                bytes.append(high << 4 | low)
            } else {
                guard Self.isAlphanumeric(byte) || allowed.contains(byte) else {
                    throw bad(
                        "in `\(name)`, other characters than letters, digits and a few signs are written as `%20`")
                }
                bytes.append(byte)
            }
        }
        return bytes
    }

    private mutating func setPath(_ name: String, _ value: [UInt8]) throws(SecretError) {
        if let attribute = PKCS11URI.Attribute(rawValue: name) {
            uri.attributes[attribute] = try string(value, of: name)
            return
        }
        switch name {
        case "object": uri.object = try string(value, of: name)
        case "id": uri.id = value
        case "type":
            let text = try string(value, of: name)
            guard let type = PKCS11URI.ObjectType(rawValue: text) else {
                let known = PKCS11URI.ObjectType.allCases.map(\.rawValue).joined(separator: ", ")
                throw bad("`type` is one of \(known)")
            }
            uri.type = type
        case "slot-id":
            guard let number = UInt(try string(value, of: name)) else { throw bad("`slot-id` is a decimal number") }
            uri.slotID = number
        case "pin-source", "pin-value", "module-path", "module-name", "x-init-args":
            throw bad("`\(name)` belongs behind a `?`")
        default: throw bad("it has the attribute `\(name)`, which is not known; leave it out")
        }
    }

    private mutating func setQuery(_ name: String, _ value: [UInt8]) throws(SecretError) {
        switch name {
        case "pin-source": uri.pinSource = try PINSource(uriValue: string(value, of: name))
        case "pin-value":
            throw SecretError(
                .invalidArgument,
                "A pkcs11: URI has a PIN in it (`pin-value`), where it ends up in backups and process lists. Put the "
                    + "PIN into a file, an environment variable or behind a command, and name that instead, as in "
                    + "`pin-source=file:/run/secrets/pin`. Change the PIN, since it may have been seen.")
        case "module-path":
            let path = try string(value, of: name)
            guard path.hasPrefix("/") else { throw bad("`module-path` is an absolute path") }
            uri.modulePath = path
        case "module-name": uri.moduleName = try string(value, of: name)
        case "x-init-args": uri.initArguments = try string(value, of: name)
        default: throw bad("it has the attribute `\(name)`, which is not known; leave it out")
        }
    }

    private func string(_ value: [UInt8], of name: String) throws(SecretError) -> String {
        guard let text = String(validating: value, as: UTF8.self), !value.contains(0) else {
            throw bad("`\(name)` is not UTF-8 text")
        }
        return text
    }

    /// Without the URI's text, which may have a PIN in it.
    private func bad(_ why: String) -> SecretError {
        SecretError(.invalidArgument, "A pkcs11: URI (RFC 7512) cannot be read: \(why).")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
