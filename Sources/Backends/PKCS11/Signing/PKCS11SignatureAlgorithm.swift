// The signatures that a key on a token can make.

import CP11Kit
import Crypto

/// A signature algorithm. The hash is computed here, and the token signs the hash.
public enum PKCS11SignatureAlgorithm: Sendable, Hashable {
    /// A hash of SHA-2.
    public enum Hash: Sendable, CaseIterable {
        case sha256, sha384, sha512
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    case rsaPKCS1(Hash)
    /// RSASSA-PSS with MGF1 of the same hash, and a salt as long as the hash (RFC 8017 §8.1, RFC 8446 §4.2.3).
    case rsaPSS(Hash)
    /// ECDSA; the signature is DER, as in X.509 and TLS.
    case ecdsa(Hash)

    var hash: Hash {
        switch self {
        case .rsaPKCS1(let hash), .rsaPSS(let hash), .ecdsa(let hash): hash
        }
    }

    /// The token's mechanism, and what it signs: the hash, for PKCS #1 with the name of its algorithm in front.
    func prepare(_ message: [UInt8]) -> (mechanism: Mechanism, input: [UInt8]) {
        let digest = hash.digest(message)
        return switch self {
        case .rsaPKCS1: (.plain(UInt(CKM_RSA_PKCS)), hash.digestInfoPrefix + digest)
        case .rsaPSS:
            (.pss(hash: hash.mechanism, mask: hash.mask, saltLength: digest.count), digest)
        case .ecdsa: (.plain(UInt(CKM_ECDSA)), digest)
        }
    }
}

extension PKCS11SignatureAlgorithm.Hash {
    func digest(_ message: [UInt8]) -> [UInt8] {
        switch self {
        case .sha256: Array(SHA256.hash(data: message))
        case .sha384: Array(SHA384.hash(data: message))
        case .sha512: Array(SHA512.hash(data: message))
        }
    }

    var mechanism: UInt {
        switch self {
        case .sha256: UInt(CKM_SHA256)
        case .sha384: UInt(CKM_SHA384)
        case .sha512: UInt(CKM_SHA512)
        }
    }

    var mask: UInt {
        switch self {
        case .sha256: UInt(CKG_MGF1_SHA256)
        case .sha384: UInt(CKG_MGF1_SHA384)
        case .sha512: UInt(CKG_MGF1_SHA512)
        }
    }

    /// DER of a DigestInfo up to the hash (RFC 8017 §9.2, note 1).
    var digestInfoPrefix: [UInt8] {
        let (number, count): (UInt8, UInt8) =
            switch self {
            case .sha256: (1, 32)
            case .sha384: (2, 48)
            case .sha512: (3, 64)
            }
        return [
            0x30, 17 + count, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number, 0x05,
            0x00, 0x04, count,
        ]
    }
}
