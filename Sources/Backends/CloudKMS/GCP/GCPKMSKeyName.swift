// How people name a key of Google Cloud KMS.

public import PosternProtocol

/// A symmetric key of Google Cloud KMS: `projects/…/locations/…/keyRings/…/cryptoKeys/…`, without a version.
public struct GCPKMSKeyName: Sendable, Hashable, CustomStringConvertible {
    /// The key's resource name.
    public let description: String

    private static let collections = ["projects", "locations", "keyRings", "cryptoKeys"]

    /// Parses a name.
    /// - Throws: `invalid_argument` saying what a name looks like.
    public init(_ text: String) throws(SecretError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isGood =
            parts.count == 8
            && parts.enumerated().allSatisfy { place, part in
                place.isMultiple(of: 2) ? part == Self.collections[place / 2] : Self.isID(part, isProject: place == 1)
            }
        guard isGood else {
            throw SecretError(
                .invalidArgument,
                "\"\(text.prefix(300))\" does not name a key of Google Cloud KMS; write "
                    + "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY.")
        }
        description = text
    }

    /// Whether a text is an id; that of a project may start with a domain: `example.org:name`.
    private static func isID(_ text: Substring, isProject: Bool) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.allSatisfy { character in
                character.isASCII && (character.isLetter || character.isNumber) || "-_".contains(character)
                    || isProject && ".:".contains(character)
            }
    }
}
