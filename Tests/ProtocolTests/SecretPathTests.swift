import PosternProtocol
import Testing

@Suite struct SecretPathTests {
    @Test(arguments: [
        "a", "llm/openai/api_key", "A-z.0_9/..a/a..", "x/.hidden",
        String(repeating: "a", count: 512), Array(repeating: "s", count: 16).joined(separator: "/"),
    ])
    func `a well-formed path is taken as it is`(text: String) throws {
        #expect(try SecretPath(text).text == text)
    }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a b", "a\0b", "a\nb", "ä", "a%2fb", "a\\b",
        ".postern", ".postern/keyring", "a/.postern-x", ".posternx",
        String(repeating: "a", count: 513), Array(repeating: "s", count: 17).joined(separator: "/"),
    ])
    func `a malformed or reserved path is refused as an invalid argument`(text: String) {
        let error = #expect(throws: SecretError.self) { try SecretPath(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `reserved paths exist only through the reserved door`() throws {
        #expect(try SecretPath.reserved("keyring/llm").text == ".postern/keyring/llm")
        #expect(try SecretPath.reserved("keyring").isReserved)
        #expect(try SecretPath.stored(".postern/keyring/llm").isReserved)
        #expect(throws: SecretError.self) { try SecretPath.reserved("../a") }
        #expect(throws: SecretError.self) { try SecretPath.reserved(".postern/a") }
    }

    @Test func `a prefix allows one trailing slash and contains only what lies below it`() throws {
        let prefix = try PathPrefix("llm/")
        #expect(prefix.text == "llm")
        #expect(prefix.contains(try SecretPath("llm/a")))
        #expect(!prefix.contains(try SecretPath("llmx/a")))
        #expect(!prefix.contains(try SecretPath("llm")))
        #expect(PathPrefix.root.contains(try SecretPath("anything")))
        for bad in ["/", "//", "a//", "/a", "..", ".postern"] {
            #expect(throws: SecretError.self, "\(bad)") { try PathPrefix(bad) }
        }
    }
}
