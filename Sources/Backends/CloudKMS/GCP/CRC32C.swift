// CRC-32C (Castagnoli; RFC 3720 §12.1), by which Google's KMS and its callers notice bytes that were damaged on the
// way.

import PosternProtocol

enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 0 ? 0 : 0x82F6_3B78) }
    }

    /// The checksum of bytes.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { value, byte in
            value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
        }
    }

    /// The checksum of secret bytes.
    static func checksum(_ bytes: SecretBytes) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
}
