// A path cut into symbols, on the stack.

import PosternProtocol

/// Where a path's segments are, and the symbol of each.
struct PathSegments {
    private(set) var count = 0
    private var symbols = InlineArray<16, UInt32>(repeating: SymbolTable.unknown)
    /// Where each segment starts, in bytes; the one after the last starts past the end and its slash.
    private var starts = InlineArray<17, UInt16>(repeating: 0)

    /// Cuts a path, which has at most 16 segments and 512 bytes.
    init(_ path: Span<UInt8>, _ table: borrowing SymbolTable) {
        var hash = SegmentHash.start
        var start = 0
        for index in 0..<path.count {
            let byte = path[index]
            if byte == UInt8(ascii: "/") {
                append(table.symbol(SegmentHash.finish(hash), path, start..<index), endingAt: index)
                hash = SegmentHash.start
                start = index + 1
            } else {
                hash = SegmentHash.adding(byte, to: hash)
            }
        }
        append(table.symbol(SegmentHash.finish(hash), path, start..<path.count), endingAt: path.count)
    }

    private mutating func append(_ symbol: UInt32, endingAt end: Int) {
        symbols[count] = symbol
        count += 1
        starts[count] = UInt16(end + 1)
    }

    func symbol(_ position: Int) -> UInt32 { symbols[position] }

    func range(_ position: Int) -> Range<Int> { Int(starts[position])..<Int(starts[position + 1]) - 1 }
}
