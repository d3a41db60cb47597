// The common grammar of dotenv files.
//
//     # a comment
//     export NAME=plain text until the end or a comment  # after a space
//     NAME='literal, also over lines'
//     NAME="escapes \n \r \t \" \\ \$, also over lines"
//
// Nothing is substituted: `$OTHER` is these six characters.

import PosternProtocol

/// Reads dotenv files.
struct DotenvParser {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    /// Reads a file's text.
    /// - Returns: names and values, in order.
    /// - Throws: `invalid_argument` naming the line, never anything of a value.
    static func parse(_ text: SecretBytes) throws(SecretError) -> [(name: String, value: SecretBytes)] {
        var parser = DotenvParser(bytes: text.withUnsafeBytes { Array($0) })
        var pairs: [(name: String, value: SecretBytes)] = []
        var lines: [String: Int] = [:]
        while let (name, line) = try parser.nextName() {
            let value = try parser.value(of: name)
            if let first = lines.updateValue(line, forKey: name) {
                throw SecretError(.invalidArgument, "Line \(line): \(name) is given already in line \(first).")
            }
            pairs.append((name, value))
        }
        return pairs
    }

    private init(bytes: [UInt8]) {
        // A byte-order mark says nothing.
        self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func isAt(_ character: Unicode.Scalar) -> Bool { current == UInt8(ascii: character) }

    private mutating func advance() {
        if isAt("\n") { line += 1 }
        position += 1
    }

    private mutating func skipBlanks() {
        while isAt(" ") || isAt("\t") { advance() }
    }

    private mutating func skipLine() {
        while let byte = current, byte != UInt8(ascii: "\n") { advance() }
    }

    /// The next name, up to and with its equals sign; nil at the end.
    private mutating func nextName() throws(SecretError) -> (String, Int)? {
        while current != nil {
            skipBlanks()
            if isAt("#") { skipLine() }
            if isAt("\n") || isAt("\r") {
                advance()
            } else if current != nil {
                break
            }
        }
        guard current != nil else { return nil }
        var name = word()
        if name == "export", isAt(" ") || isAt("\t") {
            skipBlanks()
            name = word()
        }
        skipBlanks()
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else {
            throw SecretError(.invalidArgument, "Line \(line) is neither a comment nor NAME=value.")
        }
        guard isAt("=") else {
            throw SecretError(.invalidArgument, "Line \(line): there is no = behind the name \(name).")
        }
        advance()
        skipBlanks()
        return (name, line)
    }

    private mutating func word() -> String {
        let start = position
        while let byte = current, Self.isOfName(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private mutating func value(of name: String) throws(SecretError) -> SecretBytes {
        if isAt("'") || isAt("\"") { return try quoted(name) }
        let start = position
        var end = position
        while let byte = current, byte != UInt8(ascii: "\n") {
            if byte == UInt8(ascii: "#"), position == start || Self.isBlank(bytes[position - 1]) { break }
            advance()
            if !Self.isBlank(byte), byte != UInt8(ascii: "\r") { end = position }
        }
        skipLine()
        return SecretBytes(copying: bytes[start..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private mutating func quoted(_ name: String) throws(SecretError) -> SecretBytes {
        let first = line
        let isDouble = isAt("\"")
        let quote = bytes[position]
        advance()
        // No longer than what is left, so that it never moves.
        let room = bytes.count - position
        let (bytes, start) = (bytes, position)
        var end: Int?
        let value = SecretBytes(capacity: room) { target in
            var written = 0
            var at = start
            while at < bytes.count {
                var byte = bytes[at]
                at += 1
                if byte == quote {
                    end = at
                    break
                }
                if isDouble, byte == UInt8(ascii: "\\"), at < bytes.count, let escaped = Self.escape(bytes[at]) {
                    byte = escaped
                    at += 1
                }
                target[written] = byte
                written += 1
            }
            return written
        }
        guard let end else { throw SecretError(.invalidArgument, "Line \(first): the quote of \(name) is not closed.") }
        while position < end { advance() }
        skipBlanks()
        if isAt("#") { skipLine() }
        if isAt("\r") { advance() }
        guard current == nil || isAt("\n") else {
            throw SecretError(.invalidArgument, "Line \(line): there is more behind the closing quote of \(name).")
        }
        return value
    }

    /// What a backslash and this character stand for; nil if for themselves.
    private static func escape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "n"): UInt8(ascii: "\n")
        case UInt8(ascii: "r"): UInt8(ascii: "\r")
        case UInt8(ascii: "t"): UInt8(ascii: "\t")
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"): byte
        default: nil
        }
    }
}
