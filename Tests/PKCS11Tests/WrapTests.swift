import PosternPKCS11
import PosternProtocol
import Testing

@Suite struct WrapTests {
    private let key = SecretBytes(copying: UInt8(0)..<32)
    private let binding = Array("domain llm".utf8)

    @Test(arguments: TokenKind.allCases)
    func `a key wrapped by AES-GCM in the token comes back`(kind: TokenKind) async throws {
        let wrapper = try await TestToken(kind).wrapper()
        let blob = try await wrapper.wrap(key, associatedData: binding, deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == key)
        #expect(wrapper.descriptor.algorithm == "AES-256-GCM")
        #expect(await wrapper.health(deadline: soon) == BackendHealth(isReady: true, detail: "ok"))
    }
}
