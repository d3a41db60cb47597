// Patterns of secret paths: what they may look like and what they match.

import PosternProtocol

/// A pattern of paths, as in `llm/**` or `teams/*/api-*`.
///
/// A whole segment `*` stands for one segment, a `*` inside a segment for any bytes in it (also none),
/// and `**` for any number of segments (also none): `llm/**` matches `llm` itself.
struct Glob: Hashable, Sendable {
    enum Segment: Hashable, Sendable {
        case literal(String)
        /// `*`
        case any
        /// A segment with wildcards in it.
        case pattern(SegmentPattern)
        /// `**`
        case deep
    }

    /// More would make a match try every way to spread a path over them.
    static let maximumDeepSegments = 3

    let text: String
    let segments: [Segment]

    /// Whether this matches every path.
    var matchesEverything: Bool { segments == [.deep] }

    /// Parses a glob.
    /// - Throws: what is wrong with it and what to write instead.
    init(_ text: String) throws(GlobError) {
        guard !text.isEmpty else { throw GlobError("is empty; write \"**\" for all paths") }
        guard text.utf8.count <= SecretPath.maximumBytes else {
            throw GlobError("is longer than \(SecretPath.maximumBytes) bytes, the longest path")
        }
        var segments: [Segment] = []
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            segments.append(try Self.segment(String(part)))
        }
        let deep = segments.count { $0 == .deep }
        guard deep <= Self.maximumDeepSegments else {
            throw GlobError("has \(deep) segments \"**\"; use at most \(Self.maximumDeepSegments)")
        }
        guard segments.count - deep <= SecretPath.maximumSegments else {
            throw GlobError("has more than \(SecretPath.maximumSegments) segments, so no path can match it")
        }
        guard !zip(segments, segments.dropFirst()).contains(where: { $0 == .deep && $1 == .deep }) else {
            throw GlobError("has \"**/**\"; write it once, it already stands for any number of segments")
        }
        self.text = text
        self.segments = segments
    }

    private static func segment(_ part: String) throws(GlobError) -> Segment {
        switch part {
        case "": throw GlobError("has an empty segment; write segments joined by single slashes, as in a/b/**")
        case "*": return .any
        case "**": return .deep
        default: break
        }
        guard part.utf8.contains(UInt8(ascii: "*")) else {
            do {
                return .literal(try SecretPath(part).text)
            } catch {
                throw GlobError("has the segment \"\(part)\", which no path can have: \(withoutPeriod(error.message))")
            }
        }
        guard !part.contains("**") else {
            throw GlobError("has \"**\" inside the segment \"\(part)\"; it must be a whole segment, use * here")
        }
        guard part.utf8.allSatisfy({ Name.isNameByte($0) || $0 == UInt8(ascii: "*") }) else {
            throw GlobError("has a character other than A-Z a-z 0-9 . _ - * in the segment \"\(part)\"")
        }
        return .pattern(SegmentPattern(bytes: Array(part.utf8)))
    }

    /// Messages are sentences; this one ends inside another.
    private static func withoutPeriod(_ message: String) -> Substring {
        message.hasSuffix(".") ? message.dropLast() : message[...]
    }
}

/// Why a text is no glob; the message continues a sentence that starts with the glob.
struct GlobError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// A segment with `*` in it, each of which stands for any bytes.
struct SegmentPattern: Hashable, Sendable {
    let bytes: [UInt8]

    /// Whether the bytes at `range` match. Linear but for backing up to the last `*`, so it cannot explode.
    func matches(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        var index = 0
        var lastStar: (index: Int, position: Int)?
        while position < range.upperBound {
            if index < bytes.count, bytes[index] == UInt8(ascii: "*") {
                lastStar = (index, position)
                index += 1
            } else if index < bytes.count, bytes[index] == text[position] {
                index += 1
                position += 1
            } else if let star = lastStar {
                lastStar = (star.index, star.position + 1)
                index = star.index + 1
                position = star.position + 1
            } else {
                return false
            }
        }
        return bytes[index...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// Whether a whole text matches.
    func matches(_ text: String) -> Bool {
        let bytes = text.utf8.span
        return matches(bytes, 0..<bytes.count)
    }
}
