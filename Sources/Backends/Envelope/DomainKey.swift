// A domain key, and the name by which envelopes and the keyring refer to it.

import Crypto

/// A domain key's random id. Random, so that a key made anew after a lost keyring is told from the lost one.
struct DomainKeyID: Hashable, Sendable, CustomStringConvertible {
    static let byteCount = 16
    private let high: UInt64
    private let low: UInt64

    /// The id that 16 bytes spell.
    init?(_ reader: inout ByteReader) {
        guard let high = reader.take(UInt64.self), let low = reader.take(UInt64.self) else { return nil }
        self.high = high
        self.low = low
    }

    /// The id that 32 lower-case hexadecimal digits spell.
    init?(hex: String) {
        guard let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.dropFirst(16), radix: 16) else {
            return nil
        }
        self.high = high
        self.low = low
        // Signs, capitals and wrong lengths do not survive the way back.
        guard description == hex else { return nil }
    }

    /// The id's bytes.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: high)
        bytes.append(bigEndian: low)
        return bytes
    }

    /// 32 lower-case hexadecimal digits.
    var description: String { Self.hex(high) + Self.hex(low) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Which domain key: its id and its version within the domain, from 1.
struct DomainKeyName: Hashable, Sendable {
    let id: DomainKeyID
    let version: UInt32
}

/// An unwrapped domain key. `SymmetricKey` wipes its memory when released.
struct DomainKey: Sendable {
    static let byteCount = 32
    let name: DomainKeyName
    let key: SymmetricKey
}
