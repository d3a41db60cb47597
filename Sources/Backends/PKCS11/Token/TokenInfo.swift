// What a token says of itself (C_GetTokenInfo, OASIS PKCS #11 v2.40 §3.2).

import CP11Kit

struct TokenInfo: Sendable {
    let label: String
    let manufacturer: String
    let model: String
    let serial: String
    let flags: UInt
    private let maximumSessions: UInt
    private let maximumReadWriteSessions: UInt

    init(_ info: CK_TOKEN_INFO) {
        self.label = Self.text(info.label)
        self.manufacturer = Self.text(info.manufacturerID)
        self.model = Self.text(info.model)
        self.serial = Self.text(info.serialNumber)
        self.flags = info.flags
        self.maximumSessions = info.ulMaxSessionCount
        self.maximumReadWriteSessions = info.ulMaxRwSessionCount
    }

    /// How many sessions an application may have open; nil where the token sets no limit or does not tell.
    var sessionLimit: Int? {
        [maximumSessions, maximumReadWriteSessions]
            // CK_EFFECTIVELY_INFINITE and CK_UNAVAILABLE_INFORMATION.
            .filter { $0 != 0 && $0 != UInt.max }
            .min().map { Int(clamping: $0) }
    }

    func has(_ flag: UInt) -> Bool { flags & flag != 0 }

    /// Which token this is, for messages and for remembering what it refused.
    var name: String { "\(label) (serial \(serial))" }

    /// Whether the token is the one, or one of those, that a URI names. One that is not initialised is nobody's.
    func matches(_ uri: PKCS11URI) -> Bool {
        guard has(CKF_TOKEN_INITIALIZED) else { return false }
        let own: [PKCS11URI.Attribute: String] = [
            .token: label, .manufacturer: manufacturer, .model: model, .serial: serial,
        ]
        return own.allSatisfy { uri.attributes[$0.key] == nil || uri.attributes[$0.key] == $0.value }
    }

    /// A fixed-size text, padded with spaces.
    static func text<T>(_ field: T) -> String {
        unsafe withUnsafeBytes(of: field) { bytes in
            var end = bytes.count
            while unsafe end > 0 && bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
            return unsafe String(decoding: bytes[..<end], as: UTF8.self)
        }
    }
}
