// Stores for migrations: configurations beside a gateway's own, and the command that moves secrets between them.

import Foundation
import TestPrograms
import VaultServers

/// A folder with what every configuration names, and configurations of stores.
final class MigrationSite: Sendable {
    /// Its folder, certificates and policy are used; it need not run.
    let home: GatewayUnderTest

    init() throws { home = try GatewayUnderTest(GatewaySettings()) }

    /// Lends a site and removes it.
    static func with<Value>(_ body: (MigrationSite) async throws -> Value) async throws -> Value {
        let site = try MigrationSite()
        let result: Result<Value, any Error>
        do { result = .success(try await body(site)) } catch { result = .failure(error) }
        await site.home.remove()
        return try result.get()
    }

    func file(_ name: String) -> String { home.file(name) }

    /// Writes a configuration for a store.
    /// - Parameter key: the key file; nil for no encryption.
    /// - Returns: its file.
    func configure(_ name: String, _ store: String, key: String?, extra: String = "") throws -> String {
        try home.write(
            """
            \(GatewaySettings.frontEnds)
            policy:
              file: policy.yaml
            audit:
              directory: \(name)-audit
            envelope:
              enabled: \(key != nil)
              key_file: \(key ?? "none")
            \(store)
            \(extra)

            """, to: "\(name).yaml")
        return file("\(name).yaml")
    }

    func sqlite(_ name: String, key: String?) throws -> String {
        try configure(name, "backend:\n  kind: sqlite\n  sqlite:\n    path: \(name).sqlite", key: key)
    }

    func vault(_ name: String, _ api: VaultAPI, mount: String, key: String?, extra: String = "") throws -> String {
        try configure(
            name,
            """
            backend:
              kind: vault
              vault:
                addresses: ["\(api.address)"]
                allow_loopback_http: true
                mount: \(mount)
                token: \(api.token)
            """, key: key, extra: extra)
    }

    func arguments(_ from: String, _ to: String, _ more: [String] = []) -> [String] {
        let log = more.contains("--dry-run") ? [] : ["--audit-log", file("migration-audit")]
        return ["migrate", "--from", from, "--to", to, "--output", "json"] + log + more
    }

    func migrate(_ from: String, _ to: String, _ more: [String] = []) async throws -> Finished {
        try await run(try Places.postern(), arguments(from, to, more), in: home.directory)
    }

    /// A gateway over one of the stores, with the site's certificates and policy.
    func withGateway<Value>(
        _ configuration: String, overrides: [String] = [], _ body: (GatewayUnderTest) async throws -> Value
    ) async throws -> Value {
        let gateway = try GatewayUnderTest(GatewaySettings(overrides: overrides))
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        // Everything else is relative to the site.
        let own = text.replacing(": pki/", with: ": \(gateway.file("pki"))/")
            .replacing("file: policy.yaml", with: "file: \(gateway.file("policy.yaml"))")
            .replacing("key_file: k", with: "key_file: \(file("k"))")
            .replacing("path: ", with: "path: \(home.directory.path)/")
            .replacing("to: ", with: "to: \(home.directory.path)/")
            .replacing("directory: ", with: "directory: \(gateway.file("audit"))-")
        try gateway.write(own, to: "postern.yaml")
        return try await EndToEndTests.withGateway(started: gateway, body)
    }
}
