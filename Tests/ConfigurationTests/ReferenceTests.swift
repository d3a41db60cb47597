// The files in config/ are true: the reference is what the code says, the examples load.

import Foundation
import PosternConfiguration
import Testing

@Suite struct ReferenceTests {
    private static let folder =
        URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/config"

    /// Run with POSTERN_TEST_WRITE_REFERENCE=1 to write the file anew after a change of the schema.
    @Test func `config/reference.yaml is what the schema says`() throws {
        let file = Self.folder + "/reference.yaml"
        if ProcessInfo.processInfo.environment["POSTERN_TEST_WRITE_REFERENCE"] != nil {
            try GatewayConfiguration.reference.write(toFile: file, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOfFile: file, encoding: .utf8)
        #expect(written == GatewayConfiguration.reference)
    }

    @Test func `the reference loads and means the defaults`() throws {
        let loaded = try load(yaml: GatewayConfiguration.reference)
        let plain = try load()
        #expect(loaded.grpc.listen == plain.grpc.listen)
        #expect(loaded.cache.ttl == plain.cache.ttl)
        #expect(loaded.admin.allowedOrigins == plain.admin.allowedOrigins)
        #expect(loaded.grpc.idleTimeout == plain.grpc.idleTimeout)
    }

    @Test func `the reference with every example switched on loads too`() throws {
        let lines = GatewayConfiguration.reference.split(separator: "\n", omittingEmptySubsequences: false)
        let example = try Regex("^ +# [a-z_]+: .+")
        let yaml = lines.map { line in
            line.contains(example) && !line.contains("# Allowed:")
                ? String(line.replacing("# ", with: "", maxReplacements: 1))
                : String(line)
        }
        let directory = try TemporaryDirectory()
        let loaded = try GatewayConfiguration.load(
            file: try directory.file(yaml.joined(separator: "\n")), environment: ["ADMIN_KEY": "x"])
        #expect(loaded.grpc.denyList?.hasSuffix("deny.txt") == true)
        #expect(!loaded.backend.vault.addresses.isEmpty)
    }

    @Test func `every key of the reference names an environment variable that works, and no two share one`() throws {
        let names = GatewayConfiguration.reference.matches(of: try Regex("POSTERN_[A-Z_]+\\]")).map {
            String($0.output[0].substring?.dropLast() ?? "")
        }
        #expect(names.count == 84)
        #expect(Set(names).count == names.count)
        for name in names {
            // Too long for a port, a number, a duration and a choice; a path or a secret takes it.
            let found = try problems(environment: [name: "999999999999999999999999"])
            #expect(!found.contains { $0.contains("no setting of that name") }, "\(name)")
        }
    }

    @Test func `the example for Vault loads with the three names that its users know`() throws {
        let loaded = try GatewayConfiguration.load(
            file: Self.folder + "/vault.yaml",
            environment: ["VAULT_ADDR": "https://vault.test:8200", "VAULT_TOKEN": "t", "ADMIN_KEY": "x"])
        #expect(loaded.backend.kind == .vault)
        #expect(!loaded.envelope.enabled)
        #expect(loaded.grpc.minimumTLS == .v1_3)
    }

    @Test func `the example for HSMs loads with what Vault's tools say`() throws {
        let loaded = try GatewayConfiguration.load(
            file: Self.folder + "/hsm.yaml",
            environment: ["VAULT_ADDR": "https://vault.test:8200", "VAULT_TOKEN": "t"])
        #expect(loaded.envelope.keys.map(\.origin) == [.pkcs11])
        guard case .pkcs11 = loaded.grpc.key else {
            Issue.record("\(loaded.grpc.key)")
            return
        }
    }

    @Test(arguments: ["development", "production"])
    func `the example files load`(name: String) throws {
        let loaded = try GatewayConfiguration.load(
            file: Self.folder + "/\(name).yaml", environment: name == "development" ? ["ADMIN_KEY": "x"] : [:])
        #expect(loaded.envelope.enabled)
        #expect(loaded.grpc.minimumTLS == .v1_3)
    }
}
