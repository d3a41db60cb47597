// IP addresses and networks, for the `networks` condition.

import Glibc

/// An IP address. IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2) is taken as the IPv4 address it is.
struct IPAddress: Hashable, Sendable {
    let isIPv4: Bool
    let bits: UInt128

    /// Parses an address; nil if the text is none. A zone such as `%eth0` is dropped.
    init?(_ text: String) {
        let bare = text.utf8.contains(UInt8(ascii: "%")) ? String(text.prefix { $0 != "%" }) : text
        // inet_pton would stop reading at a NUL and take what comes before.
        guard !bare.utf8.contains(0) else { return nil }
        if bare.utf8.contains(UInt8(ascii: ":")) {
            var address = in6_addr()
            guard unsafe inet_pton(AF_INET6, bare, &address) == 1 else { return nil }
            let bits = unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            }
            isIPv4 = bits >> 32 == 0xFFFF
            self.bits = isIPv4 ? bits & 0xFFFF_FFFF : bits
        } else {
            var address = in_addr()
            guard unsafe inet_pton(AF_INET, bare, &address) == 1 else { return nil }
            isIPv4 = true
            bits = UInt128(UInt32(bigEndian: address.s_addr))
        }
    }
}

/// A network in CIDR notation (RFC 4632, RFC 4291 §2.3), as in `10.0.0.0/8` or `2001:db8::/32`.
struct Network: Hashable, Sendable {
    let text: String
    private let base: IPAddress
    private let mask: UInt128

    /// Parses a network.
    /// - Throws: what is wrong with it and what to write instead.
    init(_ text: String) throws(NetworkError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let base = IPAddress(String(first)), !first.contains("%") else {
            throw NetworkError("is no network; write an address and a prefix length, as in 10.0.0.0/8 or 2001:db8::/32")
        }
        let width = base.isIPv4 ? 32 : 128
        guard !(base.isIPv4 && first.contains(":")) else {
            throw NetworkError("is an IPv4 network written as IPv6; write it as IPv4, as in 10.0.0.0/8")
        }
        guard parts.count == 2 else {
            throw NetworkError("has no prefix length; for the single address write \(first)/\(width)")
        }
        guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let length = Int(parts[1]), length <= width
        else {
            throw NetworkError("has a bad prefix length; it is a number from 0 to \(width)")
        }
        let all = base.isIPv4 ? UInt128(UInt32.max) : UInt128.max
        let mask = length == 0 ? 0 : all & (all << UInt128(width - length))
        guard base.bits & ~mask == 0 else {
            throw NetworkError("has bits set after its prefix of \(length); set them to 0 or lengthen the prefix")
        }
        self.text = text
        self.base = base
        self.mask = mask
    }

    func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == base.isIPv4 && address.bits & mask == base.bits
    }
}

/// Why a text is no network; the message continues a sentence that starts with the text.
struct NetworkError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
