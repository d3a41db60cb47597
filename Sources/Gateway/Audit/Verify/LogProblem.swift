// What a verification finds: where the log stops being good, and what is wrong there.

/// The first thing that is wrong with a log.
public struct LogProblem: Error, Sendable, Equatable {
    /// What kind of thing is wrong.
    public enum Kind: String, Sendable, CaseIterable {
        /// The checkpoint is no signed checkpoint, or its signature does not hold.
        case checkpoint
        /// The checkpoint is signed by a key that is not trusted.
        case key
        /// A record is not the one that was logged, or is missing.
        case record
        /// A tile of hashes is not the one that was published, or is missing.
        case tile
        /// The tree does not have the root that was signed.
        case root
        /// The log covers less than a checkpoint that was seen before.
        case rollback
        /// The log has another past than a checkpoint that was seen before.
        case fork
        /// A segment is damaged, ends too early, or disagrees with the published log.
        case segment
        /// A receipt in the log's directory does not hold.
        case receipt
    }

    /// The kind.
    public let kind: Kind
    /// The index of the first record that is not good, if the place is known.
    public let index: UInt64?
    /// The file, if it is one.
    public let file: String?
    /// What is wrong, as a sentence.
    public let message: String

    init(_ kind: Kind, index: UInt64? = nil, file: String? = nil, _ message: String) {
        self.kind = kind
        self.index = index
        self.file = file
        self.message = message
    }
}

extension LogProblem: CustomStringConvertible {
    /// `kind: record N in FILE: message`.
    public var description: String {
        let place = [index.map { "record \($0)" }, file.map { "in \($0)" }].compactMap { $0 }.joined(separator: " ")
        return "\(kind.rawValue): " + (place.isEmpty ? "" : place + ": ") + message
    }
}
