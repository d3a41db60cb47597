// Mechanisms with their parameters.

import CP11Kit

/// A mechanism and its parameters, as far as Postern uses any.
enum Mechanism: Sendable {
    case plain(UInt)
    /// RSA-OAEP without a label. Some HSMs want the label's pointer to be null (PKCS #11 v2.40 §2.1.8).
    case oaep(hash: UInt, mask: UInt)
    case pss(hash: UInt, mask: UInt, saltLength: Int)

    /// Lends the mechanism as C wants it.
    func withMechanism<R, E: Error>(
        _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(E) -> R
    ) throws(E) -> R {
        switch self {
        case .plain(let type):
            var mechanism = unsafe CK_MECHANISM(mechanism: type, pParameter: nil, ulParameterLen: 0)
            return try unsafe body(&mechanism)
        case .oaep(let hash, let mask):
            var parameters = unsafe CK_RSA_PKCS_OAEP_PARAMS()
            unsafe parameters.hashAlg = hash
            unsafe parameters.mgf = mask
            unsafe parameters.source = UInt(CKZ_DATA_SPECIFIED)
            return try unsafe Self.with(UInt(CKM_RSA_PKCS_OAEP), &parameters, body)
        case .pss(let hash, let mask, let saltLength):
            var parameters = CK_RSA_PKCS_PSS_PARAMS()
            parameters.hashAlg = hash
            parameters.mgf = mask
            parameters.sLen = UInt(saltLength)
            return try unsafe Self.with(UInt(CKM_RSA_PKCS_PSS), &parameters, body)
        }
    }

    private static func with<P, R, E: Error>(
        _ type: UInt, _ parameters: inout P, _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(E) -> R
    ) throws(E) -> R {
        try unsafe withUnsafeMutablePointer(to: &parameters) { (pointer) throws(E) in
            var mechanism = unsafe CK_MECHANISM(
                mechanism: type, pParameter: UnsafeMutableRawPointer(pointer),
                ulParameterLen: UInt(MemoryLayout<P>.size))
            return try unsafe body(&mechanism)
        }
    }
}
