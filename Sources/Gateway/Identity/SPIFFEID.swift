// The rules for SPIFFE IDs (SPIFFE-ID specification §2), shared by what reads and what issues certificates.

public import PosternProtocol

/// A valid SPIFFE ID, as in `spiffe://example.org/service/billing`.
public struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes that a SPIFFE ID may have (SPIFFE-ID §2.3).
    public static let maximumBytes = 2048
    /// The most bytes that a trust domain may have (SPIFFE-ID §2.3).
    public static let maximumTrustDomainBytes = 255
    /// What every SPIFFE ID starts with.
    public static let scheme = "spiffe://"

    /// The ID as text.
    public let text: String

    /// Parses a SPIFFE ID.
    ///
    /// The trust domain has lower-case letters, digits, `.`, `-` and `_`; the path has segments of letters,
    /// digits, `.`, `-` and `_`, none of them empty, `.` or `..`. Ports, user names, queries, fragments and
    /// percent-encoding are not allowed (SPIFFE-ID §2.1, §2.2).
    /// - Parameter text: the ID.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    public init(_ text: String) throws(SecretError) {
        func refuse(_ why: String) -> SecretError {
            SecretError(.invalidArgument, "SPIFFE ID \(Quoted(text)): \(why)")
        }
        guard text.utf8.count <= Self.maximumBytes else {
            throw refuse("it is longer than \(Self.maximumBytes) bytes.")
        }
        guard text.hasPrefix(Self.scheme) else {
            throw refuse("it must start with \(Self.scheme) in lower case.")
        }
        let rest = text.dropFirst(Self.scheme.count)
        let domain = rest.prefix { $0 != "/" }
        guard !domain.isEmpty else { throw refuse("it has no trust domain.") }
        guard domain.utf8.count <= Self.maximumTrustDomainBytes else {
            throw refuse("its trust domain is longer than \(Self.maximumTrustDomainBytes) bytes.")
        }
        guard domain.utf8.allSatisfy(Self.isTrustDomainByte) else {
            throw refuse("its trust domain may have only a-z 0-9 . - _.")
        }
        let path = rest.dropFirst(domain.count)
        if !path.isEmpty {
            for segment in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
                guard !segment.isEmpty else { throw refuse("its path has an empty segment or ends with a slash.") }
                guard segment != ".", segment != ".." else { throw refuse("its path has a segment \"\(segment)\".") }
                guard segment.utf8.allSatisfy(Self.isPathByte) else {
                    throw refuse("its path segments may have only A-Z a-z 0-9 . - _.")
                }
            }
        }
        self.text = text
    }

    /// The trust domain, as in `example.org`.
    public var trustDomain: Substring { text.dropFirst(Self.scheme.count).prefix { $0 != "/" } }

    /// The path with its leading slash; empty where the ID names the trust domain itself.
    public var path: Substring { text.dropFirst(Self.scheme.count).drop { $0 != "/" } }

    /// The ID as text.
    public var description: String { text }

    private static func isTrustDomainByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        isTrustDomainByte(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}

/// Text from outside as messages show it: quoted, cut short, and without anything but visible ASCII.
struct Quoted: CustomStringConvertible {
    let description: String

    init(_ text: String) {
        let visible = text.unicodeScalars.prefix(120).map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" }
        description = "\"" + String(visible) + (text.unicodeScalars.count > 120 ? "…" : "") + "\""
    }
}
