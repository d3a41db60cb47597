// Names that become part of a URL's path: mounts, roles, keys.

import PosternProtocol

/// The path of a mount, as `kubernetes` or `teams/billing/transit`, without slashes at its ends.
struct MountPath: Sendable, Equatable, CustomStringConvertible {
    let description: String

    /// Parses a mount's path.
    /// - Parameters:
    ///   - text: the path; slashes at its ends do not count.
    ///   - prefix: what Vault puts in front of paths of this kind, which is not to be written.
    /// - Throws: `invalid_argument`.
    init(_ text: String, under prefix: String? = nil) throws(SecretError) {
        let segments = text.split(separator: "/", omittingEmptySubsequences: true)
        guard !segments.isEmpty, segments.allSatisfy({ VaultName.isValid($0) }) else {
            throw SecretError(
                .invalidArgument,
                "\"\(text.prefix(100))\" is not the path of a mount; use letters, digits, dots, dashes, underscores and slashes."
            )
        }
        if let prefix, segments[0] == prefix {
            throw SecretError(
                .invalidArgument, "Write the mount \"\(text.prefix(100))\" without the \(prefix)/ at its start.")
        }
        description = segments.joined(separator: "/")
    }
}

/// A name that is one segment of a path.
struct VaultName: Sendable, Equatable, CustomStringConvertible {
    let description: String

    /// Parses a name.
    /// - Parameters:
    ///   - text: the name.
    ///   - what: what it names, for the message.
    /// - Throws: `invalid_argument`.
    init(_ text: String, _ what: String) throws(SecretError) {
        guard Self.isValid(text[...]) else {
            throw SecretError(
                .invalidArgument,
                "\(what) cannot be named \"\(text.prefix(100))\"; use letters, digits, dots, dashes and underscores.")
        }
        description = text
    }

    static func isValid(_ text: Substring) -> Bool {
        guard !text.isEmpty, text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
