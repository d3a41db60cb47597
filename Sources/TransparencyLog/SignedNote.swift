// Text signed by one or more keys (C2SP signed-note).

/// A signature on a note.
public struct NoteSignature: Sendable, Equatable {
    /// The key's name.
    public let name: String
    /// The key's id.
    public let keyID: UInt32
    /// What the key made of the text; its form depends on the key's type.
    public let bytes: [UInt8]

    /// Makes a signature.
    public init(name: String, keyID: UInt32, bytes: [UInt8]) {
        self.name = name
        self.keyID = keyID
        self.bytes = bytes
    }

    /// The signature's line, with its newline.
    public var line: String {
        let id = (0..<4).map { UInt8(truncatingIfNeeded: keyID >> UInt32(24 - 8 * $0)) }
        return "— \(name) \(Base64.encode(id + bytes))\n"
    }

    /// Parses a line without its newline.
    init?(line: some StringProtocol) {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "—", NoteName.isValid(parts[1]),
            let bytes = Base64.decode(parts[2]), bytes.count > 4
        else { return nil }
        self.init(
            name: String(parts[1]), keyID: bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) },
            bytes: Array(bytes.dropFirst(4)))
    }
}

/// What a key may be called.
enum NoteName {
    /// Not empty, no spaces of any script, no plus, no control characters.
    static func isValid(_ name: some StringProtocol) -> Bool {
        !name.isEmpty
            && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "+" && $0.value >= 0x20 }
    }
}

/// A text and its signatures. Nothing in it is to be believed before ``verify(with:)``.
public struct SignedNote: Sendable, Equatable {
    /// The largest note that is read, in bytes.
    public static let maximumBytes = 1_000_000
    /// The most signatures that are read.
    public static let maximumSignatures = 100

    /// The text, which ends in a newline.
    public let text: String
    /// The signatures.
    public private(set) var signatures: [NoteSignature]

    /// Makes a note.
    /// - Parameters:
    ///   - text: ends in a newline; no control characters but newlines.
    ///   - signatures: any number.
    /// - Throws: `malformed`.
    public init(text: String, signatures: [NoteSignature] = []) throws(TransparencyLogError) {
        guard text.utf8.last == UInt8(ascii: "\n") else {
            throw TransparencyLogError(.malformed, "a note's text ends in a newline")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 || $0 == UInt8(ascii: "\n") }) else {
            throw TransparencyLogError(.malformed, "a note has no control characters")
        }
        guard signatures.allSatisfy({ NoteName.isValid($0.name) }) else {
            throw TransparencyLogError(.malformed, "the name of a note's key has no spaces and no plus")
        }
        self.text = text
        self.signatures = signatures
    }

    /// Parses a note.
    /// - Parameter bytes: the note; at least one signature.
    /// - Throws: `malformed`.
    public init(parsing bytes: [UInt8]) throws(TransparencyLogError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyLogError(.malformed, "the note has more than \(Self.maximumBytes) bytes")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw TransparencyLogError(.malformed, "the note is not UTF-8")
        }
        // The last empty line separates text and signatures.
        let newline = UInt8(ascii: "\n")
        let split = bytes.indices.dropLast().last { bytes[$0] == newline && bytes[$0 + 1] == newline }
        guard let split, bytes.last == newline else {
            throw TransparencyLogError(.malformed, "the note has no signatures")
        }
        let tail = String(decoding: bytes[(split + 2)...].dropLast(), as: UTF8.self)
        let lines = tail.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count <= Self.maximumSignatures else {
            throw TransparencyLogError(.malformed, "the note has more than \(Self.maximumSignatures) signatures")
        }
        var signatures: [NoteSignature] = []
        for line in lines {
            guard let signature = NoteSignature(line: line) else {
                throw TransparencyLogError(.malformed, "a signature line of the note is not valid")
            }
            signatures.append(signature)
        }
        try self.init(text: String(decoding: bytes[...split], as: UTF8.self), signatures: signatures)
    }

    /// The note as it is stored and sent.
    public var bytes: [UInt8] {
        Array((text + "\n" + signatures.map(\.line).joined()).utf8)
    }

    /// Adds a signature, such as a witness's.
    /// - Parameter signature: a signature on this text.
    public mutating func append(_ signature: NoteSignature) {
        signatures.append(signature)
    }

    /// Checks the signatures by known keys; those by others are passed over.
    /// - Parameter keys: the known keys.
    /// - Returns: the keys whose signatures hold, in the order of the signatures; at least one.
    /// - Throws: `bad_signature` if one by a known key does not hold, `unknown_key` if there is none.
    @discardableResult
    public func verify(with keys: [VerifierKey]) throws(TransparencyLogError) -> [VerifierKey] {
        var signers: [VerifierKey] = []
        for signature in signatures {
            guard let key = keys.first(where: { $0.keyID == signature.keyID && $0.name == signature.name }) else {
                continue
            }
            guard key.isValid(signature.bytes, on: text) else {
                throw TransparencyLogError(.badSignature, "the signature of \(key.name) does not hold")
            }
            if !signers.contains(key) { signers.append(key) }
        }
        guard !signers.isEmpty else {
            throw TransparencyLogError(.unknownKey, "no signature is by a known key")
        }
        return signers
    }
}
