import PosternIdentity
import PosternProtocol
import Testing

@Suite struct SPIFFEIDTests {
    @Test(arguments: [
        "spiffe://example.org", "spiffe://example.org/billing", "spiffe://a-b_c.1/A/b.c/_-/...",
        "spiffe://" + String(repeating: "d", count: 255) + "/x",
        "spiffe://d/" + String(repeating: "p", count: 2048 - 11),
    ])
    func `a well-formed ID is taken as it is`(text: String) throws {
        #expect(try SPIFFEID(text).text == text)
    }

    @Test func `an ID tells its trust domain and path`() throws {
        let id = try SPIFFEID("spiffe://example.org/service/billing")
        #expect(id.trustDomain == "example.org")
        #expect(id.path == "/service/billing")
        #expect(try SPIFFEID("spiffe://example.org").path == "")
    }

    @Test(arguments: [
        "", "spiffe://", "spiffe:///a", "SPIFFE://example.org/a", "spiffe://Example.org/a", "https://example.org/a",
        "spiffe://example.org/", "spiffe://example.org//a", "spiffe://example.org/a/", "spiffe://example.org/./a",
        "spiffe://example.org/..", "spiffe://example.org:80/a", "spiffe://u@example.org/a", "spiffe://example.org/a?b",
        "spiffe://example.org/a#b", "spiffe://example.org/%41", "spiffe://exämple.org/a", "spiffe://example.org/ä",
        "spiffe://example.org/a\0", "spiffe://example.org/a b", "spiffe://example.org?a",
        "spiffe://" + String(repeating: "d", count: 256) + "/x",
        "spiffe://d/" + String(repeating: "p", count: 2048 - 10),
    ])
    func `a malformed ID is refused as an invalid argument`(text: String) {
        let error = #expect(throws: SecretError.self) { try SPIFFEID(text) }
        #expect(error?.code == .invalidArgument)
    }
}
