// The elliptic curves whose keys sign, as PKCS#11 names them (CKA_EC_PARAMS: a DER object identifier, RFC 5480).

import Crypto
import FoundationEssentials

/// A NIST curve.
enum Curve: CaseIterable, Sendable {
    case p256, p384, p521

    var parameters: [UInt8] {
        switch self {
        case .p256: [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
        case .p384: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]
        case .p521: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]
        }
    }

    /// How many bytes each half of a signature, and each coordinate, has.
    var fieldBytes: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }

    /// A signature as X.509 and TLS want it, from the two numbers side by side, as tokens give it.
    func derSignature(_ raw: [UInt8]) throws -> [UInt8] {
        switch self {
        case .p256: try Array(P256.Signing.ECDSASignature(rawRepresentation: raw).derRepresentation)
        case .p384: try Array(P384.Signing.ECDSASignature(rawRepresentation: raw).derRepresentation)
        case .p521: try Array(P521.Signing.ECDSASignature(rawRepresentation: raw).derRepresentation)
        }
    }

    /// The public key as a SubjectPublicKeyInfo, from its point (CKA_EC_POINT): bare, or in a DER octet string, since
    /// tokens do either.
    func publicKey(point: [UInt8]) throws -> [UInt8] {
        let bare = Array(point.suffix(1 + 2 * fieldBytes))
        return switch self {
        case .p256: try Array(P256.Signing.PublicKey(x963Representation: bare).derRepresentation)
        case .p384: try Array(P384.Signing.PublicKey(x963Representation: bare).derRepresentation)
        case .p521: try Array(P521.Signing.PublicKey(x963Representation: bare).derRepresentation)
        }
    }
}
