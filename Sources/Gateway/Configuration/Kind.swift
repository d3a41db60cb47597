// The kinds of values that settings have. Every layer gives texts: a kind says which are allowed and reads them.

import PosternProtocol

/// A kind of value.
struct Kind<Value: Sendable>: Sendable {
    let shape: Shape
    /// What is allowed, to follow the word "write".
    let allowed: String
    let isSecret: Bool
    /// Why a text is not allowed, where that must be told without repeating the text; nil elsewhere.
    let objection: @Sendable (String) -> String?
    /// The value of a text, or nil if it is not allowed.
    let parse: @Sendable (String) -> Value?

    init(
        _ shape: Shape, isSecret: Bool = false, allowed: String,
        objection: @escaping @Sendable (String) -> String? = { _ in nil },
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.shape = shape
        self.allowed = allowed
        self.isSecret = isSecret
        self.objection = objection
        self.parse = parse
    }
}

extension Kind where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Kind {
        Kind(.plain, allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            // `Int` alone would take "+1".
            guard text.utf8.first != UInt8(ascii: "+") else { return nil }
            return Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Kind where Value == Bool {
    static var boolean: Kind {
        Kind(.plain, allowed: "true or false") { text in
            switch text {
            case "true": true
            case "false": false
            default: nil
            }
        }
    }
}

extension Kind where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Kind {
        let bounds = "from \(DurationText.write(range.lowerBound)) to \(DurationText.write(range.upperBound))"
        return Kind(.text, allowed: "a duration such as 500ms, 10s, 5m or 1h, \(bounds)") { text in
            DurationText.read(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Kind where Value == ListenAddress {
    static var address: Kind {
        Kind(.text, allowed: "host:port, as in 127.0.0.1:7443 or [::1]:7443; port 0 picks a free one") {
            ListenAddress($0)
        }
    }
}

extension Kind where Value == SecretBytes {
    static var secret: Kind {
        Kind(.text, isSecret: true, allowed: "a text that is not empty, in one line") { text in
            text.isEmpty || text.contains(where: \.isNewline) ? nil : SecretBytes(text)
        }
    }
}

extension Kind where Value: RawRepresentable<String> & CaseIterable {
    /// One of an enumeration's names.
    static func choice(_: Value.Type) -> Kind {
        let names = Value.allCases.map(\.rawValue)
        return Kind(.text, allowed: names.count == 1 ? names[0] : "one of " + names.joined(separator: ", ")) {
            Value(rawValue: $0)
        }
    }
}

/// A path as written, before it is resolved against the configuration file's folder.
struct WrittenPath: Sendable {
    let text: String
}

extension Kind where Value == WrittenPath {
    static var path: Kind {
        Kind(.text, allowed: "a path") { $0.isEmpty || $0.contains("\0") ? nil : WrittenPath(text: $0) }
    }
}

/// A server's private key as written.
enum WrittenServerKey: Sendable {
    case file(WrittenPath)
    case pkcs11(String)
}

extension Kind where Value == WrittenServerKey {
    static var serverKey: Kind {
        Kind(
            .text, allowed: "a path, or the pkcs11: URI of a key in an HSM (docs/hsm.md)",
            objection: PKCS11Text.objection
        ) { text in
            if PKCS11Text.isURI(text) { return PKCS11Text.namesKey(text) ? .pkcs11(text) : nil }
            return Kind<WrittenPath>.path.parse(text).map { .file($0) }
        }
    }
}

extension Kind where Value == [WrittenPath] {
    static var paths: Kind {
        Kind(.list, allowed: "a list of paths, none with a comma") { text in
            let items = listItems(text)
            return items.contains("") ? nil : items.map(WrittenPath.init)
        }
    }
}

extension Kind where Value == [String] {
    static var origins: Kind {
        Kind(.list, allowed: "a list of origins, as in https://console.example.org or http://localhost:3000") { text in
            let items = listItems(text)
            return items.allSatisfy { HTTPAddress.isOrigin($0) } ? items : nil
        }
    }
}

extension Kind where Value == String {
    /// One word, as names in other systems are.
    static var word: Kind {
        Kind(.text, allowed: "a text of visible ASCII without spaces or commas") { text in
            let isGood = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
            return !text.isEmpty && isGood ? text : nil
        }
    }
}

extension Kind where Value == String {
    /// What a transparency log is called: the name of its key too, which has no plus.
    static var logOrigin: Kind {
        Kind(.text, allowed: "a text of visible ASCII without spaces or +, as in gateway-1.example.com/audit") { text in
            let isGood = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "+") }
            return !text.isEmpty && isGood ? text : nil
        }
    }
}

extension Kind where Value == Bool {
    /// A boolean, also as other programs' environment variables have it.
    static var flag: Kind {
        Kind(.plain, allowed: "true or false") { text in
            switch text {
            case "true", "1": true
            case "false", "0": false
            default: nil
            }
        }
    }
}

extension Kind where Value == [String] {
    static var httpAddresses: Kind {
        Kind(.list, allowed: "a list of addresses, as in https://vault.example.org:8200") { text in
            let items = listItems(text).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
            return !items.isEmpty && items.allSatisfy { HTTPAddress.isOrigin($0) } ? items : nil
        }
    }
}

extension Kind where Value == [KeySetting] {
    static var keys: Kind {
        let origins = KeyOrigin.allCases.map { "{\($0.rawValue): …}" }.joined(separator: ", ")
        return Kind(
            .namedValues, allowed: "a list of keys, each one of \(origins)", objection: PKCS11Text.objection
        ) { text in
            let keys = listItems(text).map { KeySetting(written: $0) }
            let good = keys.compactMap { $0 }
            return good.count == keys.count && Set(good).count == good.count ? good : nil
        }
    }
}

extension Kind where Value == [NamedKeyHash] {
    static var namedHashes: Kind {
        Kind(
            .namedHashes,
            allowed: "a list of {name, sha256}, each name once, of A-Z a-z 0-9 . _ -, and sha256 as 64 hex digits"
        ) { text in
            let keys = listItems(text).map { NamedKeyHash(written: $0) }
            let good = keys.compactMap { $0 }
            return good.count == keys.count && Set(good.map(\.name)).count == good.count ? good : nil
        }
    }
}

/// The items of a list: texts between commas. Nothing at all is the empty list.
func listItems(_ text: String) -> [String] {
    if text.isEmpty { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map { item in
        String(item.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
