import PosternProtocol
import Testing

@Suite struct PayloadTests {
    private func field(_ name: String, _ value: String = "x") -> Payload.Field {
        Payload.Field(name: name, value: SecretBytes(value))
    }

    @Test func `fields keep their order`() throws {
        let payload = try Payload([field("user", "u"), field("password", "p"), field("a", "")])
        #expect(payload.fields.map(\.name) == ["user", "password", "a"])
        #expect(payload["password"] == SecretBytes("p"))
        #expect(payload["missing"] == nil)
        #expect(payload.byteCount == 4 + 8 + 1 + 2)
    }

    @Test func `bad field names are refused`() {
        for fields in [
            [], [field("")], [field("a"), field("a")], [field("a\u{1}")], [field(String(repeating: "n", count: 257))],
        ] {
            let error = #expect(throws: SecretError.self) { try Payload(fields) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `a payload past its limit is too large, and one at it is not`() throws {
        let names = 5
        #expect(throws: Never.self) {
            try Payload([field("value", String(repeating: "v", count: 95))], maximumBytes: 95 + names)
        }
        let error = #expect(throws: SecretError.self) {
            try Payload([field("value", String(repeating: "v", count: 96))], maximumBytes: 95 + names)
        }
        #expect(error?.code == .tooLarge)
    }
}
