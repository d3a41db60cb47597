// A log's signed head (C2SP tlog-checkpoint): which log, how many leaves, and the root.

/// What a checkpoint says.
public struct Checkpoint: Sendable, Equatable {
    /// Which log it is: the first line.
    public let origin: String
    /// How many leaves the tree has.
    public let size: UInt64
    /// The tree's root.
    public let root: MerkleHash
    /// Further lines, which say nothing here.
    public let extensions: [String]

    /// Makes a checkpoint.
    /// - Throws: `malformed` if a line would be empty or more than one.
    public init(
        origin: String, size: UInt64, root: MerkleHash, extensions: [String] = []
    ) throws(TransparencyLogError) {
        guard ([origin] + extensions).allSatisfy({ !$0.isEmpty && !$0.utf8.contains(UInt8(ascii: "\n")) }) else {
            throw TransparencyLogError(.malformed, "a checkpoint's lines are not empty")
        }
        self.origin = origin
        self.size = size
        self.root = root
        self.extensions = extensions
    }

    /// Parses a note's text.
    /// - Parameter text: three lines or more.
    /// - Throws: `malformed`.
    public init(text: String) throws(TransparencyLogError) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast()?.isEmpty == true, lines.count >= 3 else {
            throw TransparencyLogError(.malformed, "a checkpoint has three lines or more")
        }
        guard let size = UInt64(decimal: lines[1]), size < 1 << 63 else {
            throw TransparencyLogError(.malformed, "the checkpoint's second line is not a size")
        }
        guard let root = MerkleHash(base64: lines[2]) else {
            throw TransparencyLogError(.malformed, "the checkpoint's third line is not a hash")
        }
        try self.init(origin: String(lines[0]), size: size, root: root, extensions: lines[3...].map(String.init))
    }

    /// The text of the note.
    public var text: String {
        "\(origin)\n\(size)\n\(root.base64)\n" + extensions.map { $0 + "\n" }.joined()
    }

    /// Signs the checkpoint.
    /// - Throws: what the signer throws; `malformed` if the origin has control characters.
    public func signed(by signers: [any NoteSigner]) throws -> SignedNote {
        var note = try SignedNote(text: text)
        for signer in signers { note.append(try signer.signature(on: text)) }
        return note
    }

    /// Opens a checkpoint.
    /// - Parameters:
    ///   - note: the signed checkpoint.
    ///   - origin: which log it must be of; nil for any.
    ///   - keys: the log's keys.
    /// - Throws: `malformed`, `unknown_key`, `bad_signature`.
    public init(_ note: SignedNote, origin: String? = nil, keys: [VerifierKey]) throws(TransparencyLogError) {
        try note.verify(with: keys)
        try self.init(text: note.text)
        if let origin, origin != self.origin {
            throw TransparencyLogError(.malformed, "the checkpoint is of the log \(self.origin), not of \(origin)")
        }
    }
}

extension UInt64 {
    /// A decimal number in its one spelling: digits only, no leading zeros.
    init?(decimal text: some StringProtocol) {
        guard let number = UInt64(text), String(number) == text else { return nil }
        self = number
    }
}
