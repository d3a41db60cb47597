// The ways in which a key on a token wraps other keys.

import CP11Kit
import PosternProtocol

/// A way to wrap. The number is in every blob and never changes.
public enum PKCS11WrapMechanism: UInt8, Sendable, CaseIterable {
    /// AES-GCM in the token (CKM_AES_GCM), with the associated data as such.
    case aesGCM = 1
    /// A one-time key wrapped by AES-KW in the token (CKM_AES_KEY_WRAP, RFC 3394), and AES-256-GCM under it.
    case aesKeyWrap = 2
    /// A one-time key encrypted by RSA-OAEP with SHA-256, and AES-256-GCM under it.
    case rsaOAEPSHA256 = 3
    /// The same with SHA-1 in OAEP, where the token knows no other.
    case rsaOAEPSHA1 = 4

    /// The name for key registers. The key itself has 256 bits (AES), or 2048 and more (RSA); others are refused.
    public var algorithm: String {
        switch self {
        case .aesGCM: "AES-256-GCM"
        case .aesKeyWrap: "AES-256-KW + AES-256-GCM"
        case .rsaOAEPSHA256: "RSA-OAEP-SHA256 + AES-256-GCM"
        case .rsaOAEPSHA1: "RSA-OAEP-SHA1 + AES-256-GCM"
        }
    }

    /// The class of the key.
    var keyClass: KeyQuery.Class {
        switch self {
        case .aesGCM, .aesKeyWrap: .secret
        case .rsaOAEPSHA256, .rsaOAEPSHA1: .private
        }
    }

    /// The token's mechanism, and what it must be able to do with it.
    var requirement: (mechanism: UInt, flags: UInt) {
        switch self {
        case .aesGCM: (UInt(CKM_AES_GCM), UInt(CKF_ENCRYPT | CKF_DECRYPT))
        case .aesKeyWrap: (UInt(CKM_AES_KEY_WRAP), UInt(CKF_WRAP | CKF_UNWRAP))
        // Encrypted in software.
        case .rsaOAEPSHA256, .rsaOAEPSHA1: (UInt(CKM_RSA_PKCS_OAEP), UInt(CKF_DECRYPT))
        }
    }
}
