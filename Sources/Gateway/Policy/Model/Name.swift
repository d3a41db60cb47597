// How things in a policy may be called.

/// The grammar of the names a policy gives: of principals, groups, rules and admin keys.
enum Name {
    static let rule = "must be 1 to 128 letters, digits or . _ - and start with a letter or digit"
    /// Means everybody in `to` and every action in `allow` and `deny`.
    static let all = "all"

    static func isValid(_ name: String) -> Bool {
        guard (1...128).contains(name.utf8.count), let first = name.utf8.first, isAlphanumeric(first) else {
            return false
        }
        return name.utf8.allSatisfy(isNameByte)
    }

    /// Whether a byte is one of `A-Z a-z 0-9 . _ -`, of which path segments and SPIFFE IDs are made too.
    static func isNameByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
