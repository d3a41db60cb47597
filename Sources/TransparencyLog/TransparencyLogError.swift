// Why bytes are not what a transparency log's formats say, or do not prove what they claim.

/// A malformed text, a signature or proof that does not hold, or a hash that is not there.
public struct TransparencyLogError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Code: String, Sendable, CaseIterable {
        /// The bytes are not of the format.
        case malformed
        /// No signature is by a known key.
        case unknownKey = "unknown_key"
        /// A signature by a known key does not hold.
        case badSignature = "bad_signature"
        /// A proof does not lead to the hash that it should.
        case badProof = "bad_proof"
        /// A hash, tile or entry cannot be had.
        case unavailable
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong, as the end of a sentence.
    public let message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension TransparencyLogError: CustomStringConvertible {
    /// `code: message`.
    public var description: String { "\(code.rawValue): \(message)" }
}
