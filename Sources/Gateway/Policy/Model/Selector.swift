// What a principal is recognised by.

/// One selector of a principal. Values are normalised, so that equal ones compare equal.
enum Selector: Hashable, Sendable {
    /// SHA-256 of the certificate's DER, 64 lower-case hex digits.
    case fingerprint(String)
    /// A whole SPIFFE ID.
    case spiffe(String)
    /// The start of a SPIFFE ID, ending with a slash so that it ends between segments.
    case spiffePrefix(String)
    /// A DNS name in lower case.
    case dns(String)
    /// A common name, byte for byte.
    case commonName(String)
    /// The name of an admin key.
    case adminKey(String)

    /// The keys of the policy file.
    static let kinds = ["fingerprint", "spiffe", "spiffe_prefix", "dns", "common_name", "admin_key"]

    /// Makes a selector of what the policy file says; nil if `kind` is none of ``kinds``.
    /// - Throws: what is wrong with the value and what to write instead.
    init?(kind: String, _ value: String) throws(SelectorError) {
        switch kind {
        case "fingerprint": self = .fingerprint(try Self.checkedFingerprint(value))
        case "spiffe": self = .spiffe(try Self.checkedSPIFFE(value, isPrefix: false))
        case "spiffe_prefix": self = .spiffePrefix(try Self.checkedSPIFFE(value, isPrefix: true))
        case "dns": self = .dns(try Self.checkedDNS(value))
        case "common_name":
            guard value.utf8.count <= 256,
                !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
            else {
                throw SelectorError("must be at most 256 bytes without control characters")
            }
            self = .commonName(value)
        case "admin_key":
            guard Name.isValid(value) else { throw SelectorError(Name.rule) }
            self = .adminKey(value)
        default: return nil
        }
    }

    private static func checkedFingerprint(_ value: String) throws(SelectorError) -> String {
        // `openssl x509 -fingerprint` prints pairs joined by colons, in capitals.
        let hex = value.filter { $0 != ":" }.lowercased()
        guard hex.utf8.count == 64,
            hex.utf8.allSatisfy({
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else {
            throw SelectorError("must be the SHA-256 of the certificate's DER: 64 hex digits")
        }
        return hex
    }

    private static func checkedSPIFFE(_ value: String, isPrefix: Bool) throws(SelectorError) -> String {
        let scheme = "spiffe://"
        guard value.hasPrefix(scheme), value.utf8.count <= 2_048 else {
            throw SelectorError(
                "must start with spiffe:// and have at most 2048 bytes, as in spiffe://example.org/billing")
        }
        var parts = value.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        if isPrefix {
            guard parts.count > 1, parts.last == "" else {
                throw SelectorError(
                    "must end with a slash, so that it does not match longer names: write \"\(value)/\"")
            }
            parts.removeLast()
        }
        let domain = parts.first ?? ""
        guard !domain.isEmpty, domain.utf8.allSatisfy({ Name.isNameByte($0) && !isCapital($0) }) else {
            throw SelectorError("needs a trust domain of a-z 0-9 . _ - after spiffe://")
        }
        for segment in parts.dropFirst() {
            guard !segment.isEmpty, segment != ".", segment != "..", segment.utf8.allSatisfy(Name.isNameByte) else {
                throw SelectorError("has a bad segment \"\(segment)\"; segments are of A-Z a-z 0-9 . _ -, not . or ..")
            }
        }
        return value
    }

    private static func checkedDNS(_ value: String) throws(SelectorError) -> String {
        let name = value.lowercased()
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isValid = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { Name.isNameByte($0) && $0 != UInt8(ascii: ".") }
        }
        guard isValid, name.utf8.count <= 253 else {
            throw SelectorError("must be a DNS name without wildcards, as in billing.internal")
        }
        return name
    }

    private static func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
}

/// Why a value is no selector; the message continues a sentence that starts with the value.
struct SelectorError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
