// What came, against what was promised: everything, in order, again only around a break.

import Foundation

/// Whether records arrived as promised.
public struct Arrival: Sendable {
    /// The indexes in the order in which they came.
    public let indexes: [Int]

    /// The indexes of records in the JSON form, one a line.
    public init(lines: some Sequence<some StringProtocol>) {
        indexes = lines.map { line in
            let digits = line.drop { $0 != ":" }.dropFirst().prefix(while: \.isNumber)
            return line.hasPrefix("{\"index\":") && line.hasSuffix("}}") ? Int(digits) ?? -1 : -1
        }
    }

    /// The indexes of records in files of lines.
    public init(file: String) {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        self.init(lines: text.split(separator: "\n"))
    }

    /// What is wrong: something is missing, strange, or goes on elsewhere than after the one before or further back.
    public func problem(upTo count: Int, from start: Int = 0, breaks: Int) -> String? {
        var (expected, jumps) = (start, 0)
        for (place, index) in indexes.enumerated() {
            if index < 0 { return "what came at \(place) is no record" }
            if index > expected { return "record \(expected) is missing before \(index)" }
            if index < expected { if place > 0, index != indexes[place - 1] + 1 { jumps += 1 } }
            expected = max(expected, index + 1)
        }
        if expected != count { return "only \(expected) of \(count) came" }
        return jumps > breaks ? "it went back \(jumps) times" : nil
    }
}
