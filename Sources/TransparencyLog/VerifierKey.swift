// The public keys that verify notes, as text `name+id+key` (C2SP signed-note, "Verifier keys").

import Crypto
import Foundation

/// A public key with the name it signs under.
public struct VerifierKey: Sendable, Hashable {
    /// How a key signs.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// Ed25519 over the text (C2SP signed-note).
        case ed25519 = 0x01
        /// Ed25519 over the text and a time: a witness's (C2SP tlog-cosignature, `cosignature/v1`).
        case cosignature = 0x04
    }

    /// The name.
    public let name: String
    /// How it signs.
    public let kind: Kind
    /// The public key (RFC 8032), 32 bytes.
    public let publicKey: [UInt8]
    /// The key's id.
    public let keyID: UInt32

    /// Makes a key.
    /// - Parameters:
    ///   - name: not empty; no spaces, no plus.
    ///   - kind: how it signs.
    ///   - publicKey: 32 bytes.
    /// - Throws: `malformed`.
    public init(name: String, kind: Kind = .ed25519, publicKey: [UInt8]) throws(TransparencyLogError) {
        guard NoteName.isValid(name), name.utf8.count <= 1_024 else {
            throw TransparencyLogError(.malformed, "the name of a verifier key has no spaces and no plus")
        }
        guard publicKey.count == 32, (try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)) != nil else {
            throw TransparencyLogError(.malformed, "the verifier key \(name) is not an Ed25519 public key")
        }
        self.name = name
        self.kind = kind
        self.publicKey = publicKey
        let digest = SHA256.hash(data: Array(name.utf8) + [UInt8(ascii: "\n"), kind.rawValue] + publicKey)
        keyID = digest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Parses a key.
    /// - Parameter text: `name+id+key`: the id in 8 hex digits, the key's type and bytes in base64.
    /// - Throws: `malformed`, also when the id is not the key's.
    public init(_ text: some StringProtocol) throws(TransparencyLogError) {
        // The base64 may have plus signs, name and id may not.
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let key = Base64.decode(parts[2]), let first = key.first else {
            throw TransparencyLogError(.malformed, "a verifier key looks like name+id+key")
        }
        guard let kind = Kind(rawValue: first) else {
            throw TransparencyLogError(.malformed, "the verifier key \(parts[0]) is of unknown type \(first)")
        }
        try self.init(name: String(parts[0]), kind: kind, publicKey: Array(key.dropFirst()))
        guard parts[1] == hexadecimalID else {
            throw TransparencyLogError(.malformed, "the verifier key \(name) has another id than it says")
        }
    }

    /// The id in 8 hex digits.
    var hexadecimalID: String {
        let digits = String(keyID, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Whether a signature holds.
    func isValid(_ signature: [UInt8], on text: String) -> Bool {
        // Parsed when the key was made, so that it cannot fail.
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        switch kind {
        case .ed25519: return signature.count == 64 && key.isValidSignature(signature, for: Data(text.utf8))
        case .cosignature:
            guard let cosignature = Cosignature(signature) else { return false }
            return key.isValidSignature(
                cosignature.signature, for: Data(Cosignature.message(text, time: cosignature.time).utf8))
        }
    }
}

extension VerifierKey: CustomStringConvertible {
    /// `name+id+key`.
    public var description: String {
        "\(name)+\(hexadecimalID)+\(Base64.encode([kind.rawValue] + publicKey))"
    }
}
