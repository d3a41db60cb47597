// The name of a secret. Parsed once at the edge; the rest of the code cannot hold an invalid one.

/// A secret's path: 1–16 segments of `[A-Za-z0-9._-]` joined by `/`, 512 bytes in all.
///
/// No segment is `.` or `..`, and none starts with `.postern`, which is reserved for Postern's own
/// records in the backend (see ``reserved(_:)``). `llm/openai/api_key` is a path.
public struct SecretPath: Hashable, Sendable {
    /// The longest path, in bytes.
    public static let maximumBytes = 512
    /// The most segments in a path.
    public static let maximumSegments = 16
    /// What a reserved segment starts with.
    public static let reservedPrefix = ".postern"

    /// The path as text, segments joined by `/`.
    public let text: String

    /// Parses a path.
    /// - Parameter text: the path as text.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    public init(_ text: String) throws(SecretError) {
        try PathRules.check(text, what: "Secret path", allowReserved: false)
        self.text = text
    }

    private init(unchecked text: String) {
        self.text = text
    }

    /// A path for Postern's own records, under `.postern/`: front ends cannot name it.
    /// - Parameter suffix: the rest of the path, itself a valid path.
    /// - Throws: `invalid_argument` if the suffix is not a valid path or the whole is too long.
    public static func reserved(_ suffix: String) throws(SecretError) -> SecretPath {
        let text = reservedPrefix + "/" + suffix
        try PathRules.check(text, what: "Reserved path", allowReserved: true)
        return SecretPath(unchecked: text)
    }

    /// A path as a backend found it in its store, reserved ones included.
    /// - Parameter text: the path as stored.
    /// - Throws: `invalid_argument` if somebody else stored a name that is no valid path.
    public static func stored(_ text: String) throws(SecretError) -> SecretPath {
        try PathRules.check(text, what: "Stored path", allowReserved: true)
        return SecretPath(unchecked: text)
    }

    /// The segments, in order.
    public var segments: [Substring] { text.split(separator: "/") }

    /// The first segment: the domain whose key encrypts the secret under Envelope.
    public var domain: Substring { text.prefix { $0 != "/" } }

    /// Whether this is one of Postern's own records.
    public var isReserved: Bool { text.utf8.starts(with: Self.reservedPrefix.utf8) }
}

extension SecretPath: CustomStringConvertible, Comparable {
    /// The path as text.
    public var description: String { text }

    /// Orders by bytes, the order in which lists are paged.
    public static func < (a: SecretPath, b: SecretPath) -> Bool {
        a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
    }
}

/// Where a list looks: everything (the empty prefix), or what lies below a path.
public struct PathPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The prefix as text: empty, or a path without a trailing slash.
    public let text: String

    /// Everything.
    public static let root = PathPrefix(unchecked: "")

    private init(unchecked text: String) {
        self.text = text
    }

    /// Parses a prefix; one trailing slash is allowed and dropped.
    /// - Parameter text: empty, or a path.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    public init(_ text: String) throws(SecretError) {
        let bare = text.utf8.last == UInt8(ascii: "/") ? String(text.dropLast()) : text
        if !bare.isEmpty {
            try PathRules.check(bare, what: "Prefix", allowReserved: false)
        } else if !text.isEmpty {
            throw SecretError(.invalidArgument, "Prefix \"/\": leave it empty to list everything.")
        }
        self.text = bare
    }

    /// The prefix below which a path's children lie.
    /// - Parameter path: the path.
    public init(_ path: SecretPath) {
        self.text = path.text
    }

    /// What every listed path starts with: empty, or the prefix and a slash.
    public var stem: String { text.isEmpty ? "" : text + "/" }

    /// Whether a path lies below the prefix.
    public func contains(_ path: SecretPath) -> Bool { path.text.utf8.starts(with: stem.utf8) }

    /// The prefix as text.
    public var description: String { text }
}

/// The grammar that paths and prefixes share.
enum PathRules {
    static func check(_ text: String, what: String, allowReserved: Bool) throws(SecretError) {
        var segments = 1
        var length = 0
        var segmentStart = true
        for byte in text.utf8 {
            length += 1
            guard length <= SecretPath.maximumBytes else {
                throw SecretError(
                    .invalidArgument, "\(what) is longer than \(SecretPath.maximumBytes) bytes.")
            }
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                segmentStart = false
            case UInt8(ascii: "/"):
                guard !segmentStart else {
                    throw SecretError(
                        .invalidArgument,
                        "\(what) has an empty segment; write segments joined by single slashes, as in a/b.")
                }
                segments += 1
                segmentStart = true
            default:
                throw SecretError(
                    .invalidArgument,
                    "\(what) has a byte other than A-Z a-z 0-9 . _ - / at position \(length).")
            }
        }
        guard length > 0 else { throw SecretError(.invalidArgument, "\(what) is empty.") }
        guard !segmentStart else {
            throw SecretError(.invalidArgument, "\(what) ends with a slash; drop it.")
        }
        guard segments <= SecretPath.maximumSegments else {
            throw SecretError(
                .invalidArgument, "\(what) has \(segments) segments; at most \(SecretPath.maximumSegments) are allowed."
            )
        }
        // Only a segment that starts with a dot can be one of the forbidden ones.
        guard text.utf8.contains(UInt8(ascii: ".")) else { return }
        for (position, segment) in text.split(separator: "/").enumerated() where segment.utf8.first == UInt8(ascii: ".")
        {
            guard segment != ".", segment != ".." else {
                throw SecretError(.invalidArgument, "\(what) has a segment \"\(segment)\", which is not allowed.")
            }
            guard !segment.hasPrefix(SecretPath.reservedPrefix) || (allowReserved && position == 0) else {
                throw SecretError(
                    .invalidArgument,
                    "\(what) has a segment starting with \(SecretPath.reservedPrefix), which is reserved for Postern.")
            }
        }
    }
}
