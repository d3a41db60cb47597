// What a PKCS#11 function answers.

import CP11Kit

/// A return value (`CK_RV`).
struct ReturnValue: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    let rawValue: UInt

    init(rawValue: UInt) { self.rawValue = rawValue }

    static let ok = ReturnValue(rawValue: CKR_OK)

    /// The specification's name, or the number of what is a vendor's own.
    var description: String {
        Self.names[rawValue] ?? "CKR 0x\(String(rawValue, radix: 16))"
    }
}
