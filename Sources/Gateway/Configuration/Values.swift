// The forms that values are written in: durations, addresses, named hashes.

/// Durations as people write them: a whole number and `ms`, `s`, `m` or `h`.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
    ]

    static func read(_ text: String) -> Duration? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count)
        guard let number = Int64(digits), let unit = units.first(where: { $0.suffix == suffix }) else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// The shortest text that reads as the duration.
    static func write(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        let unit = units.last { milliseconds.isMultiple(of: $0.milliseconds) } ?? units[0]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// An address to listen on.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IP address or a host name, IPv6 without brackets.
    public let host: String
    /// The TCP port; 0 picks a free one.
    public let port: Int

    /// Makes an address.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, with IPv6 addresses in brackets.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            let allowed = { (byte: UInt8) in
                Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber
                    || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
            guard host.utf8.allSatisfy({ $0 < 0x80 && allowed($0) }) else { return nil }
        }
        guard !host.isEmpty, !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }), let port = Int(digits),
            port <= 65_535
        else { return nil }
        self.host = String(host)
        self.port = port
    }

    /// `host:port`, with IPv6 addresses in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A named admin key, stored as its hash.
public struct NamedKeyHash: Sendable, Hashable {
    /// Who uses it, as the audit log shows it.
    public let name: String
    /// SHA-256 of the key: 64 lower-case hex digits.
    public let sha256: String

    /// Reads `name:sha256`.
    init?(written text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...64).contains(parts[0].utf8.count),
            parts[0].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }),
            parts[1].utf8.count == 64, parts[1].allSatisfy({ $0.isASCII && $0.isHexDigit })
        else { return nil }
        name = String(parts[0])
        sha256 = parts[1].lowercased()
    }
}

/// Addresses of HTTP servers without a path.
enum HTTPAddress {
    /// Whether a text is an origin (RFC 6454 §6.2) of HTTP or HTTPS, and nothing more.
    static func isOrigin(_ text: String) -> Bool {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            // A host alone is an origin too; with a port it is an address to listen on but for port 0.
            let full = rest.last == "]" || !rest.contains(":") ? rest + ":443" : rest
            guard let address = ListenAddress(String(full)) else { return false }
            return address.port > 0
        }
        return false
    }
}
