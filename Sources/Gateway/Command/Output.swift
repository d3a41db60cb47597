// Output for people, and the same as JSON for programs.

import ArgumentParser
import Foundation

/// How to print.
struct OutputOptions: ParsableArguments {
    /// The forms of output.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text
        case json
    }

    @Option(name: .long, help: "How to print: text or json.")
    var output: Format = .text

    /// Prints a value.
    /// - Parameters:
    ///   - value: what to print, as JSON with sorted keys.
    ///   - text: the same for people.
    func print<Value: Encodable>(_ value: Value, text: (Value) -> String) throws {
        switch output {
        case .text:
            let line = text(value)
            if !line.isEmpty { Swift.print(line) }
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
        }
    }
}

/// Text in columns, each as wide as its widest cell.
func columns(_ rows: [[String]]) -> String {
    let widths = rows.reduce(into: [Int]()) { widths, row in
        for (column, cell) in row.enumerated() {
            if column < widths.count {
                widths[column] = max(widths[column], cell.count)
            } else {
                widths.append(cell.count)
            }
        }
    }
    return rows.map { row in
        row.enumerated().map { column, cell in
            column == row.count - 1 ? cell : cell.padding(toLength: widths[column], withPad: " ", startingAt: 0)
        }.joined(separator: "  ")
    }.joined(separator: "\n")
}
