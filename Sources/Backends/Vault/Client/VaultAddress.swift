// Where a Vault server listens.

public import PosternProtocol

/// The address of a Vault or OpenBao server: a scheme, a host and a port, nothing more.
public struct VaultAddress: Sendable, Hashable, CustomStringConvertible {
    /// Whether the connection is encrypted and the server proves who it is.
    public let isTLS: Bool
    /// A name or an IP address; IPv6 without brackets.
    public let host: String
    /// The TCP port.
    public let port: Int

    /// Parses an address.
    /// - Parameter text: as `VAULT_ADDR` has it: `https://vault.example.org:8200`. Vault's port is 8200, but as for every URL the
    ///   port that is meant when none is written is 443, or 80 for http.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    public init(_ text: String) throws(SecretError) {
        let problem = SecretError(
            .invalidArgument,
            "\"\(text.prefix(200))\" is not the address of a Vault server; write https://host:port, without a path.")
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { throw problem }
        var rest = text.dropFirst(scheme.count)
        if rest.last == "/" { rest = rest.dropLast() }
        isTLS = scheme == "https://"
        var portText: Substring?
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw problem }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { throw problem }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else {
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            portText = parts.count > 1 ? parts[1] : nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isAllowed) else { throw problem }
        if let portText {
            guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(portText),
                (1...65_535).contains(number)
            else { throw problem }
            port = number
        } else {
            port = isTLS ? 443 : 80
        }
    }

    /// The address as a URL without a trailing slash.
    public var description: String {
        "\(isTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    /// Whether the server is on this machine, so that nobody is in between.
    public var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
