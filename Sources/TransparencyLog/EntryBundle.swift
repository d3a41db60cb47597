// Bundles of entries (C2SP tlog-tiles, "Log entries"): each entry after its length in 16 bits, big-endian.

/// How entries are put into a bundle, and taken out of it.
public enum EntryBundle {
    /// The longest entry, in bytes.
    public static let maximumEntryBytes = 65_535

    /// Appends an entry to a bundle.
    /// - Parameters:
    ///   - entry: the entry: at most ``maximumEntryBytes``; what is longer is not appended.
    ///   - bundle: the bundle.
    /// - Returns: whether it was appended.
    @discardableResult
    public static func append(_ entry: ArraySlice<UInt8>, to bundle: inout [UInt8]) -> Bool {
        guard let length = UInt16(exactly: entry.count) else { return false }
        bundle.append(UInt8(length >> 8))
        bundle.append(UInt8(truncatingIfNeeded: length))
        bundle.append(contentsOf: entry)
        return true
    }

    /// Where the entries are in a bundle.
    /// - Parameters:
    ///   - bundle: the file's bytes.
    ///   - width: how many entries are wanted; in a full bundle that serves for a partial one there may be more.
    /// - Returns: the place of each wanted entry.
    /// - Throws: `malformed` saying which entry is not there, or that there are bytes after the last.
    public static func entries(in bundle: [UInt8], width: Int) throws(TransparencyLogError) -> [Range<Int>] {
        var places: [Range<Int>] = []
        places.reserveCapacity(width)
        var offset = 0
        while offset < bundle.count {
            guard places.count < Tile.fullWidth else {
                throw TransparencyLogError(.malformed, "the bundle has bytes after its last entry")
            }
            guard offset + 2 <= bundle.count else {
                throw TransparencyLogError(.malformed, "the bundle ends within entry \(places.count)")
            }
            let start = offset + 2
            let end = start + Int(bundle[offset]) << 8 + Int(bundle[offset + 1])
            guard end <= bundle.count else {
                throw TransparencyLogError(.malformed, "the bundle ends within entry \(places.count)")
            }
            places.append(start..<end)
            offset = end
        }
        guard places.count == width || places.count == Tile.fullWidth else {
            throw TransparencyLogError(
                .malformed, "the bundle has \(places.count) entries instead of \(width)")
        }
        return Array(places.prefix(width))
    }
}
