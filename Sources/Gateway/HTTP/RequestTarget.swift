// The path and query of a request, decoded once and strictly.

import PosternProtocol

/// Percent-decoding (RFC 3986 §2.1), once.
enum PercentDecoding {
    /// Decodes a text.
    /// - Throws: `invalid_argument` if an escape is cut or the bytes are not UTF-8.
    static func decode(_ text: some StringProtocol, what: String) throws(SecretError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(hexDigit), let low = rest.next().flatMap(hexDigit) else {
                throw SecretError(.invalidArgument, "\(what) has a % that two hex digits do not follow.")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw SecretError(.invalidArgument, "\(what) is not UTF-8 once decoded.")
        }
        return decoded
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// A request's query parameters: each known, each once.
struct QueryParameters {
    private let values: [String: String]

    /// Parses a query.
    /// - Throws: `invalid_argument` naming a parameter that is unknown or repeated.
    init(_ query: String?, allowed: Set<String>) throws(SecretError) {
        var values: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try PercentDecoding.decode(parts[0], what: "A query parameter's name")
            guard allowed.contains(name) else {
                let known = allowed.sorted().joined(separator: ", ")
                throw SecretError(
                    .invalidArgument,
                    "Unknown query parameter \"\(shown(name))\"; there \(known.isEmpty ? "are none" : "is \(known)").")
            }
            let value = try PercentDecoding.decode(parts.count > 1 ? parts[1] : "", what: "The parameter \(name)")
            guard values.updateValue(value, forKey: name) == nil else {
                throw SecretError(.invalidArgument, "The query parameter \(name) is given more than once.")
            }
        }
        self.values = values
    }

    func text(_ name: String) -> String? { values[name] }

    func integer(_ name: String) throws(SecretError) -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(text) else {
            throw SecretError(.invalidArgument, "The query parameter \(name) must be a whole number.")
        }
        return number
    }

    func flag(_ name: String) throws(SecretError) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "true": return true
        default: throw SecretError(.invalidArgument, "The query parameter \(name) must be true or false.")
        }
    }

    func integers(_ name: String) throws(SecretError) -> [Int] {
        guard let text = values[name] else { return [] }
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = Int(part) else {
                throw SecretError(
                    .invalidArgument, "The query parameter \(name) must be whole numbers joined by commas, as in 1,2.")
            }
            numbers.append(number)
        }
        return numbers
    }
}

/// A name that a client made up, short and harmless enough to show in a message.
func shown(_ name: String) -> String {
    let clean = String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    return clean.count <= 40 ? clean : clean.prefix(40) + "…"
}
