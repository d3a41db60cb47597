// The files of a log as C2SP tlog-tiles lays them out: where a tile is, how wide it is, what its path is.

/// A tile: consecutive hashes of one level, or a bundle of entries.
public struct Tile: Sendable, Hashable {
    /// What a tile holds.
    public enum Kind: Sendable, Hashable {
        /// Hashes of subtrees of 256^level leaves, level 0 to 63.
        case hashes(level: Int)
        /// Entries.
        case entries
    }

    /// How many hashes or entries a full tile has.
    public static let fullWidth = 256
    /// The levels of the tree in a tile.
    static let height = 8

    /// What it holds.
    public let kind: Kind
    /// Its place among the tiles of its kind.
    public let index: UInt64
    /// How many hashes or entries it has: 1 to 256.
    public let width: Int

    /// Names a tile.
    public init(_ kind: Kind, index: UInt64, width: Int = fullWidth) {
        self.kind = kind
        self.index = index
        self.width = width
    }

    /// The tile of a tree in which a hash or entry is.
    /// - Parameters:
    ///   - kind: what it holds.
    ///   - index: the place of the hash or entry among those of the kind.
    ///   - size: the tree's size.
    /// - Returns: nil if the tree does not have it.
    public init?(_ kind: Kind, holding index: UInt64, size: UInt64) {
        var count = size
        if case .hashes(let level) = kind {
            guard (0...63).contains(level) else { return nil }
            count = level < 8 ? size >> UInt64(Self.height * level) : 0
        }
        guard index < count else { return nil }
        let tile = index / 256
        self.init(kind, index: tile, width: Int(min(256, count - tile * 256)))
    }

    /// Whether it is full, so that it never changes.
    public var isFull: Bool { width == Self.fullWidth }
    /// The full tile at its place.
    public var full: Tile { Tile(kind, index: index) }

    /// Its path under the log's prefix, as in `tile/0/x001/234.p/5`.
    public var path: String {
        let kind =
            switch kind {
            case .hashes(let level): "\(level)"
            case .entries: "entries"
            }
        var groups = Self.digits(index % 1_000)
        var rest = index / 1_000
        while rest > 0 {
            groups = "x\(Self.digits(rest % 1_000))/\(groups)"
            rest /= 1_000
        }
        return "tile/\(kind)/\(groups)" + (isFull ? "" : ".p/\(width)")
    }

    private static func digits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: 3 - text.count) + text
    }

    /// Parses a path.
    /// - Parameter path: as ``path`` writes it, and in no other spelling.
    /// - Throws: `malformed`.
    public init(path: String) throws(TransparencyLogError) {
        let malformed = TransparencyLogError(.malformed, "\"\(path.prefix(100))\" is not the path of a tile")
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)[...]
        guard parts.count <= 16, parts.popFirst() == "tile", let kind = parts.popFirst() else { throw malformed }
        var width = Self.fullWidth
        if parts.count >= 2, parts[parts.endIndex - 2].hasSuffix(".p"), let last = parts.popLast() {
            guard let number = Int(last) else { throw malformed }
            width = number
            parts[parts.endIndex - 1] = parts[parts.endIndex - 1].dropLast(2)
        }
        var index: UInt64 = 0
        for part in parts {
            guard let digits = UInt64(part.hasPrefix("x") ? part.dropFirst() : part), index < 1 << 50 else {
                throw malformed
            }
            index = index * 1_000 + digits
        }
        self.init(kind == "entries" ? .entries : .hashes(level: Int(kind) ?? -1), index: index, width: width)
        guard (1...Self.fullWidth).contains(width), self.path == path else { throw malformed }
        if case .hashes(let level) = self.kind, !(0...63).contains(level) { throw malformed }
    }
}
