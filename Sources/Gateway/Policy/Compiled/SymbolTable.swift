// Numbers for the literal segments that a policy's globs mention, found by bytes without making strings.

/// A hash table from segments to symbols. A segment no glob mentions has no symbol: only wildcards match it.
struct SymbolTable: Sendable {
    /// The symbol of segments that no glob mentions.
    static let unknown: UInt32 = 0

    private struct Entry {
        let hash: UInt64
        let start: Int
        let count: Int
    }

    /// Indexed by symbol; the first is never found.
    private var entries = [Entry(hash: 0, start: 0, count: 0)]
    private var arena: [UInt8] = []
    /// Symbols by hash with linear probing, at most half full; 0 is a free slot.
    private var slots = [UInt32](repeating: 0, count: 16)

    /// The symbol of a segment, made if it has none.
    mutating func intern(_ segment: String) -> UInt32 {
        let bytes = segment.utf8.span
        let hash = SegmentHash.of(bytes, 0..<bytes.count)
        let known = symbol(hash, bytes, 0..<bytes.count)
        guard known == Self.unknown else { return known }
        entries.append(Entry(hash: hash, start: arena.count, count: bytes.count))
        arena.append(contentsOf: segment.utf8)
        if entries.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: slots.count * 2)
            for symbol in 1..<entries.count { place(UInt32(symbol)) }
        } else {
            place(UInt32(entries.count - 1))
        }
        return UInt32(entries.count - 1)
    }

    private mutating func place(_ symbol: UInt32) {
        var slot = Int(truncatingIfNeeded: entries[Int(symbol)].hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = symbol
    }

    /// The symbol of the bytes at `range`, whose hash is `hash`.
    func symbol(_ hash: UInt64, _ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, entry.count == range.count, isEqual(entry, bytes, range.lowerBound) {
                return slots[slot]
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return Self.unknown
    }

    private func isEqual(_ entry: Entry, _ bytes: Span<UInt8>, _ start: Int) -> Bool {
        for offset in 0..<entry.count where arena[entry.start + offset] != bytes[start + offset] { return false }
        return true
    }
}

/// FNV-1a, folded. A policy's author is trusted, and a path cannot add to the table: no seed is needed.
enum SegmentHash {
    static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    static func adding(_ byte: UInt8, to hash: UInt64) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

    static func finish(_ hash: UInt64) -> UInt64 { hash ^ hash >> 32 }

    static func of(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = start
        for index in range { hash = adding(bytes[index], to: hash) }
        return finish(hash)
    }
}
