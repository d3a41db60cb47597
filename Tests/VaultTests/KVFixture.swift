// A KV v2 mount of a test's own on a real server, and backends on it.

import BackendConformance
import Foundation
import NIOCore
import NIOPosix
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

/// A backend with a client of its own.
struct VaultUnderTest: Sendable {
    let backend: VaultBackend
    let client: VaultClient

    /// Makes a backend.
    /// - Parameters:
    ///   - addresses: as VAULT_ADDR has them.
    ///   - options: changes how Vault is reached.
    init(
        _ addresses: [String], mount: String, token: String, authority: String? = nil,
        given: VaultRequest.Token = .own, options change: (inout VaultOptions) -> Void = { _ in }
    ) throws {
        var options = VaultOptions(addresses: try addresses.map { try VaultAddress($0) })
        options.tls.authorities = authority
        change(&options)
        let nodes = try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton)
        client = VaultClient(
            nodes: nodes, namespace: options.namespace, patience: options.patience, tokens: FixedToken(token))
        backend = VaultBackend(client: client, mount: mount, token: given)
    }

    func close() async throws {
        for node in client.nodes.all { try await node.close() }
    }
}

/// A mount of its own on the shared development server, with a backend on it for the length of a test.
func withKV<Result>(
    _ mount: String? = nil, _ body: (VaultBackend, KVPlace) async throws -> Result
) async throws -> Result {
    let api = try await DevServer.shared.api
    let name = if let mount { try await api.makeKV(mount) } else { try await api.makeKV() }
    let place = KVPlace(api: api, mount: name)
    let vault = try VaultUnderTest([api.address], mount: name, token: api.token)
    do {
        let result = try await body(vault.backend, place)
        try await vault.close()
        return result
    } catch {
        try await vault.close()
        throw error
    }
}

/// A mount as others see it.
struct KVPlace: Sendable {
    let api: VaultAPI
    let mount: String

    /// Runs Vault's own command line on the mount.
    @discardableResult
    func kv(_ command: String..., input: String = "") async throws -> Finished {
        try await kv(command, input: input)
    }

    /// Runs Vault's own command line on the mount.
    @discardableResult
    func kv(_ command: [String], input: String = "") async throws -> Finished {
        let words = command[0] == "metadata" ? 2 : 1
        var environment = ["VAULT_ADDR": api.address, "VAULT_TOKEN": api.token]
        environment["VAULT_NAMESPACE"] = api.namespace
        return try await run(
            try VaultProcess.binary(),
            ["kv"] + command.prefix(words) + ["-mount=\(mount)"] + command.dropFirst(words), input: .init(input.utf8),
            environment: environment)
    }
}

extension SecretBackend {
    @discardableResult
    func put(_ path: String, _ fields: KeyValuePairs<String, String>, expecting: Int? = nil) async throws -> VersionInfo
    {
        let payload = try Payload(fields.map { Payload.Field(name: $0.key, value: SecretBytes($0.value)) })
        return try await write(SecretPath(path), payload, expecting: expecting, deadline: soon)
    }

    @discardableResult
    func put(_ path: String, _ value: String = "v", expecting: Int? = nil) async throws -> VersionInfo {
        try await put(path, ["value": value], expecting: expecting)
    }

    func get(_ path: String, _ version: Int? = nil) async throws -> SecretVersion {
        try await read(SecretPath(path), version: version, deadline: soon)
    }

    /// The fields as text, in order.
    func fields(_ path: String, _ version: Int? = nil) async throws -> [String] {
        try await get(path, version).payload.fields.map { "\($0.name)=\($0.value.text)" }
    }

    func keys(
        _ prefix: String = "", recursive: Bool = false, after: String? = nil, limit: Int = 100
    ) async throws -> SecretList {
        try await list(
            ListQuery(prefix: PathPrefix(prefix), recursive: recursive, after: after, limit: limit), deadline: soon)
    }
}
