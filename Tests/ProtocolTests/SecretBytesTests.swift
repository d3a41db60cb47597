import PosternProtocol
import Testing

@Suite struct SecretBytesTests {
    private let canary = "canary-7f3a"

    @Test func `however a secret is printed, its bytes do not show`() throws {
        let secret = SecretBytes(canary)
        let payload = try Payload(value: secret)
        var dumped = ""
        dump(secret, to: &dumped)
        dump(payload, to: &dumped)
        let printed = [
            "\(secret)", String(describing: secret), String(reflecting: secret), "\(payload)",
            String(reflecting: payload), "\(Optional(secret) as Any)", "\([secret])", dumped,
        ]
        for text in printed {
            #expect(!text.contains("canary"), "\(text)")
            #expect(!text.contains("99, 97"), "the bytes as numbers: \(text)")
        }
        #expect("\(secret)" == "<secret: 11 bytes>")
    }

    @Test func `equality compares bytes and lengths`() {
        #expect(SecretBytes("abc") == SecretBytes("abc"))
        #expect(SecretBytes("abc") != SecretBytes("abd"))
        #expect(SecretBytes("abc") != SecretBytes("abcd"))
        #expect(SecretBytes("") == SecretBytes(copying: [UInt8]()))
    }

    @Test func `released memory no longer holds the secret`() {
        // Reading released memory is what an attacker with a heap dump does. A block this large is its own
        // mapping's neighbour in the allocator's free list, so its middle stays readable after release.
        let size = 4_096
        var address: UnsafeRawPointer?
        do {
            let secret = SecretBytes(copying: [UInt8](repeating: 0xA5, count: size))
            secret.withUnsafeBytes { address = $0.baseAddress }
            #expect(address?.load(fromByteOffset: 2_000, as: UInt8.self) == 0xA5)
        }
        let left = (1_024..<3_072).count { address?.load(fromByteOffset: $0, as: UInt8.self) == 0xA5 }
        #expect(left == 0)
    }

    @Test func `a failing fill leaves nothing behind and passes its error on`() {
        #expect(throws: SecretError(.internalError, "no")) {
            try SecretBytes(capacity: 8) { _ throws(SecretError) in throw SecretError(.internalError, "no") }
        }
    }

    @Test func `only visible ASCII is visible ASCII`() {
        for byte in UInt8.min...UInt8.max {
            #expect(SecretBytes(copying: [0x41, byte]).isVisibleASCII == (0x21...0x7E).contains(byte))
        }
    }
}
