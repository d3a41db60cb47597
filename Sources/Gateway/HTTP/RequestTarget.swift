// The path and query of a request, decoded once and strictly.

import PosternCoding
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
            guard let high = rest.next()?.hexadecimalValue, let low = rest.next()?.hexadecimalValue else {
                throw SecretError(.invalidArgument, "\(what) has a % that two hex digits do not follow.")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw SecretError(.invalidArgument, "\(what) is not UTF-8 once decoded.")
        }
        return decoded
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
