// CRC-32C, against RFC 3720's examples (appendix B.4) and the check value of the catalogue of CRCs.

import PosternProtocol
import Testing

@testable import CloudKMS

@Suite struct `CRC-32C` {
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(UInt8(0)..<32), 0x46DD_794E), (Array((UInt8(0)..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ] as [([UInt8], UInt32)])
    func `published bytes have their published checksum`(bytes: [UInt8], checksum: UInt32) {
        #expect(CRC32C.checksum(bytes) == checksum)
        #expect(CRC32C.checksum(SecretBytes(copying: bytes)) == checksum)
    }
}
