// Where something stands in a policy file.

import Yams

/// A line and a column, both from 1; columns count Unicode scalars, as libyaml does.
struct Place: Hashable, Comparable {
    static let start = Place(line: 1, column: 1)

    var line: Int
    var column: Int

    init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    init(_ mark: Mark) {
        self.init(line: mark.line, column: mark.column)
    }

    /// The place of the byte at `offset`.
    init(offset: Int, in text: String) {
        self = .start
        for byte in text.utf8.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
    }

    static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

extension Node {
    /// Where the node starts. Nodes that were parsed always say so.
    var place: Place { mark.map(Place.init) ?? .start }
}
