// What signs notes: a key in memory here, or one that never leaves its module behind the same protocol.

import Crypto
import Foundation

/// Signs notes. Implementations may block: a key in an HSM takes its time.
public protocol NoteSigner: Sendable {
    /// What verifies its signatures; its kind is `ed25519`.
    var verifierKey: VerifierKey { get }
    /// Signs a text (Ed25519, RFC 8032).
    /// - Parameter text: the note's text, with its last newline.
    /// - Returns: 64 bytes.
    func sign(_ text: [UInt8]) throws -> [UInt8]
}

extension NoteSigner {
    /// The signature on a text, with name and id.
    /// - Throws: what ``sign(_:)`` throws.
    public func signature(on text: String) throws -> NoteSignature {
        NoteSignature(name: verifierKey.name, keyID: verifierKey.keyID, bytes: try sign(Array(text.utf8)))
    }
}

/// An Ed25519 key in memory.
public struct Ed25519Signer: NoteSigner {
    private static let prefix = "PRIVATE+KEY+"

    private let key: Curve25519.Signing.PrivateKey
    /// What verifies its signatures.
    public let verifierKey: VerifierKey

    /// Makes a new key.
    /// - Parameter name: the name that it signs under.
    /// - Throws: `malformed` for a name with spaces or a plus.
    public init(name: String) throws(TransparencyLogError) {
        try self.init(name: name, key: Curve25519.Signing.PrivateKey())
    }

    /// Makes a new key that is named after itself.
    /// - Parameter name: gives the name for the public key.
    /// - Throws: `malformed` for a name with spaces or a plus.
    public init(named name: ([UInt8]) -> String) throws(TransparencyLogError) {
        let key = Curve25519.Signing.PrivateKey()
        try self.init(name: name(Array(key.publicKey.rawRepresentation)), key: key)
    }

    private init(name: String, key: Curve25519.Signing.PrivateKey) throws(TransparencyLogError) {
        self.key = key
        verifierKey = try VerifierKey(name: name, publicKey: Array(key.publicKey.rawRepresentation))
    }

    /// Parses a key as golang.org/x/mod/sumdb/note encodes it: `PRIVATE+KEY+name+id+key`.
    /// - Parameter text: the key; the message of an error never has any of it.
    /// - Throws: `malformed`.
    public init(encoded text: some StringProtocol) throws(TransparencyLogError) {
        let malformed = TransparencyLogError(.malformed, "a signing key looks like PRIVATE+KEY+name+id+key")
        guard text.hasPrefix(Self.prefix) else { throw malformed }
        let parts = text.dropFirst(Self.prefix.count)
            .split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Base64.decode(parts[2]), bytes.count == 33,
            bytes[0] == VerifierKey.Kind.ed25519.rawValue,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes[1...])
        else { throw malformed }
        try self.init(name: String(parts[0]), key: key)
        guard parts[1] == verifierKey.hexadecimalID else {
            throw TransparencyLogError(.malformed, "the signing key has another id than it says")
        }
    }

    /// The key as ``init(encoded:)`` parses it. To be kept secret.
    public var encoded: String {
        let seed = Array(key.rawRepresentation)
        return Self.prefix + "\(verifierKey.name)+\(verifierKey.hexadecimalID)+"
            + Base64.encode([VerifierKey.Kind.ed25519.rawValue] + seed)
    }

    /// Signs a text.
    public func sign(_ text: [UInt8]) throws -> [UInt8] {
        Array(try key.signature(for: Data(text)))
    }
}
