// Reads JSON (RFC 8259) strictly, and straight into the types that are wanted: no tree of values is built, and a
// secret's text becomes `SecretBytes` without ever being a `String`.
//
// A general decoder would do neither, and none at hand refuses repeated members.

public import PosternProtocol

/// A reader over the bytes of one JSON text. Reads what it is asked for or throws `invalid_argument` naming the
/// member; never anything of a value. Valid only while the bytes are.
public struct JSONReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    /// Reads a whole text that must be one object.
    /// - Parameters:
    ///   - body: the text.
    ///   - member: reads the value of one member, given its name.
    /// - Throws: `invalid_argument` naming the member that is wrong; what `member` throws.
    public static func read(
        _ body: SecretBytes, member: (inout JSONReader, String) throws(SecretError) -> Void
    ) throws(SecretError) {
        try body.withUnsafeBytes { (bytes) throws(SecretError) in try read(bytes, member: member) }
    }

    /// Reads a whole text that must be one object.
    /// - Parameters:
    ///   - bytes: the text; the reader is valid only while they are.
    ///   - member: reads the value of one member, given its name.
    /// - Throws: `invalid_argument` naming the member that is wrong; what `member` throws.
    public static func read(
        _ bytes: UnsafeRawBufferPointer, member: (inout JSONReader, String) throws(SecretError) -> Void
    ) throws(SecretError) {
        guard isUTF8(bytes) else { throw SecretError(.invalidArgument, "The body is not valid UTF-8.") }
        var json = JSONReader(bytes: bytes)
        try json.object("The body", member)
        json.skipSpace()
        guard json.position == bytes.count else {
            throw SecretError(.invalidArgument, "The body goes on after its JSON object.")
        }
    }

    /// Whether bytes are valid UTF-8.
    public static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue: continue
            case .emptyInput: return true
            case .error: return false
            }
        }
    }

    /// Reads an object. Each name may come once; names are the same where their bytes are, whatever Unicode holds for equal.
    public mutating func object(
        _ what: String, _ member: (inout JSONReader, String) throws(SecretError) -> Void
    ) throws(SecretError) {
        guard take("{") else { throw wrongType(what, "a JSON object") }
        var names = Set<[UInt8]>()
        guard !take("}") else { return }
        repeat {
            let name = try string("A member's name in \(what.lowercasedFirst)")
            guard names.insert(Array(name.utf8)).inserted else {
                throw SecretError(.invalidArgument, "\(what) has the member \"\(shown(name))\" more than once.")
            }
            guard take(":") else { throw malformed(after: "the member name \"\(shown(name))\"") }
            try member(&self, name)
        } while take(",")
        guard take("}") else { throw malformed(after: "a member of \(what.lowercasedFirst)") }
    }

    /// Reads an array.
    public mutating func array(
        _ what: String, _ element: (inout JSONReader) throws(SecretError) -> Void
    ) throws(SecretError) {
        guard take("[") else { throw wrongType(what, "an array") }
        guard !take("]") else { return }
        repeat { try element(&self) } while take(",")
        guard take("]") else { throw malformed(after: "an element of \(what.lowercasedFirst)") }
    }

    /// Reads a whole number.
    public mutating func integer(_ what: String) throws(SecretError) -> Int {
        skipSpace()
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        let digits = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        let isWhole = peek.map { ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0) } ?? true
        let hasLeadingZero = position - digits > 1 && bytes[digits] == UInt8(ascii: "0")
        guard position > digits, isWhole, !hasLeadingZero,
            let number = Int(String(decoding: bytes[start..<position], as: UTF8.self))
        else { throw wrongType(what, "a whole number") }
        return number
    }

    /// Reads `true` or `false`.
    public mutating func boolean(_ what: String) throws(SecretError) -> Bool {
        if takeWord("true") { return true }
        if takeWord("false") { return false }
        throw wrongType(what, "true or false")
    }

    /// Takes `null`, if it is what comes next.
    public mutating func null() -> Bool { takeWord("null") }

    /// Reads a string that is not secret.
    public mutating func string(_ what: String) throws(SecretError) -> String {
        let value = try secret(what)
        return value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Reads a string as secret bytes.
    public mutating func secret(_ what: String) throws(SecretError) -> SecretBytes {
        guard take("\"") else { throw wrongType(what, "a string") }
        let start = position
        while let byte = peek, byte != UInt8(ascii: "\"") { position += byte == UInt8(ascii: "\\") ? 2 : 1 }
        guard position < bytes.count else { throw malformed(after: "the start of \(what.lowercasedFirst)") }
        let raw = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        position += 1
        return try JSONStrings.unescape(raw, what)
    }

    /// Whether an object comes next.
    public var isAtObject: Bool {
        mutating get {
            skipSpace()
            return peek == UInt8(ascii: "{")
        }
    }

    /// Whether a string comes next.
    public var isAtString: Bool {
        mutating get {
            skipSpace()
            return peek == UInt8(ascii: "\"")
        }
    }

    /// Passes over a value of any kind.
    /// - Returns: its text as it stands, without the space around it; valid only while the reader is.
    public mutating func raw(_ what: String) throws(SecretError) -> UnsafeRawBufferPointer {
        skipSpace()
        let start = position
        try pass(what, depth: 0)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    /// Passes over a value. Members may repeat in it: nothing is made of them.
    private mutating func pass(_ what: String, depth: Int) throws(SecretError) {
        guard depth < Self.maximumDepth else {
            throw SecretError(.invalidArgument, "\(what) is nested more than \(Self.maximumDepth) deep.")
        }
        skipSpace()
        switch peek {
        case UInt8(ascii: "\""):
            // It may be a secret's text: that never becomes a `String`.
            _ = try secret(what)
        case UInt8(ascii: "{"):
            position += 1
            guard !take("}") else { return }
            repeat {
                _ = try string("A member's name in \(what.lowercasedFirst)")
                guard take(":") else { throw malformed(after: "a member's name in \(what.lowercasedFirst)") }
                try pass(what, depth: depth + 1)
            } while take(",")
            guard take("}") else { throw malformed(after: "a member of \(what.lowercasedFirst)") }
        case UInt8(ascii: "["):
            position += 1
            guard !take("]") else { return }
            repeat { try pass(what, depth: depth + 1) } while take(",")
            guard take("]") else { throw malformed(after: "an element of \(what.lowercasedFirst)") }
        default:
            try passPlain(what)
        }
    }

    /// Passes over a number or a word.
    private mutating func passPlain(_ what: String) throws(SecretError) {
        if takeWord("true") || takeWord("false") || takeWord("null") { return }
        let start = position
        while let byte = peek, Self.numberBytes.contains(byte) { position += 1 }
        guard position > start else { throw malformed(after: "the start of \(what.lowercasedFirst)") }
    }

    private static let maximumDepth = 64
    private static let numberBytes = Array("0123456789+-.eE".utf8)

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        skipSpace()
        let count = word.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] { return false }
        position += count
        return true
    }

    private func wrongType(_ what: String, _ wanted: String) -> SecretError {
        SecretError(.invalidArgument, "\(what) must be \(wanted).")
    }

    private func malformed(after what: String) -> SecretError {
        SecretError(.invalidArgument, "The body is not valid JSON after \(what), at byte \(position + 1).")
    }
}

extension String {
    /// For the middle of a sentence: `The body` as `the body`.
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

/// A name from outside as a message may repeat it: short, and without control characters.
public func shown(_ name: String) -> String {
    let clean = String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    return clean.count <= 40 ? clean : clean.prefix(40) + "…"
}
