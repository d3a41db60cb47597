// Checks the names and addresses that go into a certificate before they are signed.

import Glibc
import PosternProtocol
import SwiftASN1
import X509

/// The rules for names in certificates.
enum Names {
    /// The longest common name (RFC 5280 appendix A.1, `ub-common-name`).
    static let maximumCommonName = 64

    /// A distinguished name with a common name only.
    static func distinguishedName(commonName: String) throws(SecretError) -> DistinguishedName {
        guard (1...maximumCommonName).contains(commonName.utf8.count),
            !commonName.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else {
            throw SecretError(
                .invalidArgument,
                "A certificate's common name must have 1 to \(maximumCommonName) bytes and no control characters.")
        }
        do {
            return try DistinguishedName { CommonName(commonName) }
        } catch {
            throw SecretError(.internalError, "The distinguished name could not be made: \(error)")
        }
    }

    /// The alternative names of a server, and the first of them as it was given.
    static func server(
        dnsNames: [String], ipAddresses: [String]
    ) throws(SecretError) -> (first: String, all: [GeneralName]) {
        var names: [GeneralName] = []
        for name in dnsNames { names.append(.dnsName(try dns(name, wildcard: true))) }
        for text in ipAddresses { names.append(.ipAddress(ASN1OctetString(contentBytes: try address(text)[...]))) }
        guard let first = dnsNames.first ?? ipAddresses.first else {
            throw SecretError(.invalidArgument, "A server certificate needs at least one DNS name or IP address.")
        }
        return (first, names)
    }

    /// A DNS name in lower case (RFC 1123 §2.1), or a wildcard (RFC 6125 §6.4.3) where that is allowed.
    static func dns(_ name: String, wildcard: Bool) throws(SecretError) -> String {
        let lower = name.lowercased()
        var labels = lower.split(separator: ".", omittingEmptySubsequences: false)
        if wildcard, labels.count > 2, labels[0] == "*" { labels.removeFirst() }
        let wellFormed =
            lower.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy(isHostByte)
            }
        guard wellFormed else {
            throw SecretError(
                .invalidArgument,
                "\"\(name)\" is not a DNS name: write labels of A-Z a-z 0-9 - joined by dots, without a trailing dot.")
        }
        return lower
    }

    /// An IP address as the 4 or 16 bytes of RFC 5280 §4.2.1.6.
    static func address(_ text: String) throws(SecretError) -> [UInt8] {
        var v4 = in_addr()
        if unsafe inet_pton(AF_INET, text, &v4) == 1 {
            return unsafe withUnsafeBytes(of: v4) { unsafe [UInt8]($0) }
        }
        var v6 = in6_addr()
        if unsafe inet_pton(AF_INET6, text, &v6) == 1 {
            return unsafe withUnsafeBytes(of: v6) { unsafe [UInt8]($0) }
        }
        throw SecretError(.invalidArgument, "\"\(text)\" is not an IP address, as in 127.0.0.1 or ::1.")
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
