// How people name a key of AWS KMS.

public import PosternProtocol

/// A symmetric encryption key of AWS KMS: the ARN of the key, the ARN of an alias, or `alias/name`.
public struct AWSKMSKeyName: Sendable, Hashable, CustomStringConvertible {
    /// The name as it was written.
    public let description: String
    /// The region, where the name says it.
    let region: String?
    /// Whether it is an alias, which may be of another key tomorrow.
    let isAlias: Bool

    /// Parses a name.
    /// - Throws: `invalid_argument` saying what a name looks like.
    public init(_ text: String) throws(SecretError) {
        description = text
        if text.hasPrefix("alias/") {
            guard Self.isAliasName(text.dropFirst("alias/".count)) else { throw Self.problem(text) }
            region = nil
            isAlias = true
            return
        }
        // arn:partition:kms:region:account:key/id
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1] == "aws" || parts[1].hasPrefix("aws-"), parts[2] == "kms",
            !parts[3].isEmpty, Self.consists(parts[1], of: "-"), Self.consists(parts[3], of: "-"),
            parts[4].count == 12, parts[4].allSatisfy({ ("0"..."9").contains($0) })
        else { throw Self.problem(text) }
        let resource = parts[5]
        if resource.hasPrefix("alias/"), Self.isAliasName(resource.dropFirst("alias/".count)) {
            isAlias = true
        } else if resource.hasPrefix("key/"), (1...128).contains(resource.count - 4),
            Self.consists(resource.dropFirst(4), of: "-")
        {
            isAlias = false
        } else {
            throw Self.problem(text)
        }
        region = String(parts[3])
    }

    private static func isAliasName(_ name: Substring) -> Bool {
        (1...250).contains(name.count) && consists(name, of: "-_/")
    }

    /// Whether a text has only ASCII letters, digits and some more characters.
    private static func consists(_ text: Substring, of more: String) -> Bool {
        text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || more.contains($0) }
    }

    private static func problem(_ text: String) -> SecretError {
        SecretError(
            .invalidArgument,
            "\"\(text.prefix(200))\" does not name a key of AWS KMS; write arn:aws:kms:REGION:ACCOUNT:key/ID, the ARN of "
                + "an alias, or alias/NAME.")
    }
}
