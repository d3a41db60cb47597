// What a witness says of a checkpoint (C2SP tlog-cosignature, `cosignature/v1`).

public import Crypto
import Foundation

/// A witness's signature on a checkpoint, and when it was made.
public struct Cosignature: Sendable, Equatable {
    /// When it was made, in seconds since 1970.
    public let time: UInt64
    /// Ed25519 over ``message(_:time:)``, 64 bytes.
    public let signature: [UInt8]

    /// Parses the bytes of a note's signature; nil if they are not a cosignature.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 72 else { return nil }
        let time = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        guard time < 1 << 63 else { return nil }
        self.time = time
        signature = Array(bytes.dropFirst(8))
    }

    /// What a witness signs.
    /// - Parameters:
    ///   - text: the checkpoint's text.
    ///   - time: in seconds since 1970.
    public static func message(_ text: String, time: UInt64) -> String {
        "cosignature/v1\ntime \(time)\n\(text)"
    }

    /// Cosigns a checkpoint, as a witness does.
    /// - Parameters:
    ///   - text: the checkpoint's text.
    ///   - time: in seconds since 1970, below 2^63.
    ///   - name: the witness's name.
    ///   - key: its key.
    /// - Returns: the signature to be appended to the note.
    /// - Throws: `malformed` for a name that is none; what signing throws.
    public static func sign(
        _ text: String, time: UInt64, name: String, key: Curve25519.Signing.PrivateKey
    ) throws -> NoteSignature {
        let verifier = try VerifierKey(
            name: name, kind: .cosignature, publicKey: Array(key.publicKey.rawRepresentation))
        let signature = try key.signature(for: Data(message(text, time: time).utf8))
        let stamp = (0..<8).map { UInt8(truncatingIfNeeded: time >> UInt64(56 - 8 * $0)) }
        return NoteSignature(name: name, keyID: verifier.keyID, bytes: stamp + Array(signature))
    }
}

extension SignedNote {
    /// Takes over the cosignatures by known witnesses from a witness's answer (C2SP tlog-witness, `add-checkpoint`).
    /// - Parameters:
    ///   - answer: signature lines.
    ///   - witnesses: their keys; lines by others are passed over.
    /// - Returns: the keys that cosigned: at least one.
    /// - Throws: `malformed`, `bad_signature`, `unknown_key`; then nothing is taken over.
    @discardableResult
    public mutating func append(
        cosignatures answer: [UInt8], by witnesses: [VerifierKey]
    ) throws(TransparencyLogError) -> [VerifierKey] {
        let note = try SignedNote(parsing: Array(text.utf8) + [UInt8(ascii: "\n")] + answer)
        let signers = try note.verify(with: witnesses)
        for signature in note.signatures
        where signers.contains(where: { $0.name == signature.name && $0.keyID == signature.keyID }) {
            append(signature)
        }
        return signers
    }
}
