// A reader of CEF, written from its specification.

/// One event.
struct CEFReader {
    let header: [String]
    let values: [String: String]

    /// Reads an event; nil if it is none.
    static func read(_ line: String) -> CEFReader? {
        var fields: [String] = []
        var rest = Substring(line)
        while fields.count < 7 {
            var field = ""
            while let next = rest.popFirst(), next != "|" {
                guard next == "\\" else {
                    field.append(next)
                    continue
                }
                guard let escaped = rest.popFirst(), "\\|".contains(escaped) else { return nil }
                field.append(escaped)
            }
            fields.append(field)
        }
        guard fields[0] == "CEF:0" else { return nil }
        return pairs(String(rest)).map { CEFReader(header: fields, values: $0) }
    }

    /// `key=value` pairs; a value ends before the next word that an unescaped `=` follows.
    private static func pairs(_ text: String) -> [String: String]? {
        let scalars = Array(text.unicodeScalars)
        var equals: [Int] = []
        var place = 0
        while place < scalars.count {
            if scalars[place] == "\\" { place += 1 } else if scalars[place] == "=" { equals.append(place) }
            place += 1
        }
        var values: [String: String] = [:]
        for (number, sign) in equals.enumerated() {
            let start = key(before: sign, in: scalars)
            let end = number + 1 < equals.count ? key(before: equals[number + 1], in: scalars) - 1 : scalars.count
            guard sign < end, let value = unescaped(scalars[(sign + 1)..<end]) else { return nil }
            values[String(String.UnicodeScalarView(scalars[start..<sign]))] = value
        }
        return values
    }

    private static func key(before sign: Int, in scalars: [Unicode.Scalar]) -> Int {
        (scalars[..<sign].lastIndex(of: " ") ?? -1) + 1
    }

    private static func unescaped(_ scalars: ArraySlice<Unicode.Scalar>) -> String? {
        var result = String.UnicodeScalarView()
        var rest = scalars
        while let next = rest.popFirst() {
            guard next == "\\" else {
                result.append(next)
                continue
            }
            switch rest.popFirst() {
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "\\": result.append("\\")
            case "=": result.append("=")
            default: return nil
            }
        }
        return String(result)
    }

    /// A text without the control characters that CEF cannot carry; line breaks as CEF has them, or as spaces too.
    static func flattened(_ text: String, breaks: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\r": result.append(breaks ? "\r" : " ")
            case "\n", "\u{0B}", "\u{0C}", "\u{85}", "\u{2028}", "\u{2029}": result.append(breaks ? "\n" : " ")
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value): result.append(" ")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
