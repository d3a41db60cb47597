import Foundation
import PosternCore
import PosternPolicy
import PosternProtocol
import Testing

@Suite struct PolicyStoreTests {
    @Test func `a reload replaces the policy as a whole and records both hashes`() async throws {
        let fixture = try GatewayFixture()
        let secret = try SecretPath("a/x")
        let before = fixture.policies.loaded.sha256
        try GatewayFixture.policy.replacing("reader-reads-a", with: "renamed").write(
            toFile: fixture.directory + "/policy.yaml", atomically: true, encoding: .utf8)
        try await fixture.gateway.reloadPolicy(requestID: "r1")
        let request = AccessRequest(
            principal: PrincipalID("reader"), action: .read, path: secret,
            context: AccessContext(time: Timestamp(seconds: 0)))
        #expect(fixture.policies.current.decide(request).ruleID == "renamed")
        let record = try #require(try fixture.records().last)
        let detail = try #require(record["detail"] as? [String: String])
        #expect(record["action"] as? String == "policy.reload")
        #expect(detail["old_sha256"] == before)
        #expect(detail["new_sha256"] == fixture.policies.loaded.sha256)
        #expect(detail["new_sha256"] != before)
    }

    @Test(arguments: ["version: 2", "rules: [", "version: 1\nnonsense: true"])
    func `a bad file leaves the old policy in force, and the attempt on record`(text: String) async throws {
        let fixture = try GatewayFixture()
        let before = fixture.policies.loaded.sha256
        try text.write(toFile: fixture.directory + "/policy.yaml", atomically: true, encoding: .utf8)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.reloadPolicy(requestID: "r1")
        }
        #expect(error?.error.code == .invalidArgument)
        #expect(error?.error.message.contains("policy.yaml:") == true, "the message names the file and line")
        #expect(fixture.policies.loaded.sha256 == before)
        #expect(try fixture.records().last?["outcome"] as? String == "invalid_argument")
    }

    @Test func `a file that is not there or not text is a clear error`() throws {
        let directory = NSTemporaryDirectory() + "policy-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        #expect(throws: SecretError.self) { try PolicyStore(file: directory + "/absent.yaml") }
        try Data([0xFF, 0xFE]).write(to: URL(filePath: directory + "/binary.yaml"))
        let error = #expect(throws: SecretError.self) { try PolicyStore(file: directory + "/binary.yaml") }
        #expect(error?.message.contains("UTF-8") == true)
    }

    @Test func `a policy that cannot be put on record is not put in force`() async throws {
        let faults = AuditFaults()
        let fixture = try GatewayFixture(faults: faults)
        let before = fixture.policies.loaded.sha256
        try GatewayFixture.policy.replacing("reader-reads-a", with: "renamed").write(
            toFile: fixture.directory + "/policy.yaml", atomically: true, encoding: .utf8)
        faults.breakWrites(true)
        let error = await #expect(throws: AuditedError.self) {
            try await fixture.gateway.reloadPolicy(requestID: "r1")
        }
        #expect(error?.error.code == .auditUnavailable)
        #expect(fixture.policies.loaded.sha256 == before)
    }
}
