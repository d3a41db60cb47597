// Aligned tables for the command line.

/// A table of text columns, two spaces apart. Empty cells show as `-`.
struct TextTable {
    let header: [String]

    func text(_ rows: [[String]]) -> String {
        let all = [header] + rows.map { $0.map { $0.isEmpty ? "-" : $0 } }
        var widths = [Int](repeating: 0, count: header.count)
        for row in all {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
        }
        var text = ""
        for row in all {
            for (column, cell) in row.enumerated() {
                text += cell
                if column < row.count - 1 { text += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            text += "\n"
        }
        return text
    }
}
