import PosternProtocol
import Testing

@Suite struct HexadecimalTests {
    @Test func `every byte is two lower-case digits, leading zeros included`() {
        #expect([UInt8]().hexadecimal.isEmpty)
        #expect(([0x00, 0x0F, 0xA0, 0xFF] as [UInt8]).hexadecimal == "000fa0ff")
        for byte in UInt8.min...UInt8.max { #expect(UInt8([byte].hexadecimal, radix: 16) == byte) }
    }
}
