// A Transit mount of a test's own.

import Foundation
import PosternProtocol
import VaultServers

@testable import Vault

struct Transit {
    let api: VaultAPI
    let mount: String
    static let key = "postern-kek"

    /// Enables Transit and makes a key.
    init(_ settings: String = "{}") async throws {
        api = try await DevServer.shared.api
        mount = "transit-\(UUID().uuidString.lowercased())"
        try await api.must("POST", "sys/mounts/\(mount)", #"{"type":"transit"}"#)
        try await makeKey(Self.key, settings)
    }

    func makeKey(_ name: String, _ settings: String = "{}") async throws {
        try await api.must("POST", "\(mount)/keys/\(name)", settings)
    }

    func rotate() async throws { try await api.must("POST", "\(mount)/keys/\(Self.key)/rotate") }

    func configure(_ settings: String) async throws {
        try await api.must("POST", "\(mount)/keys/\(Self.key)/config", settings)
    }

    func delete() async throws {
        try await configure(#"{"deletion_allowed":true}"#)
        try await api.must("DELETE", "\(mount)/keys/\(Self.key)")
    }

    /// What the gateway may do, in Vault's policy language.
    func policy(read: Bool = true, encrypt: Bool = true, decrypt: Bool = true) -> String {
        let grants = [("keys", "read", read), ("encrypt", "update", encrypt), ("decrypt", "update", decrypt)]
        return grants.filter(\.2)
            .map { "path \"\(mount)/\($0.0)/\(Self.key)\" { capabilities = [\"\($0.1)\"] }" }
            .joined(separator: "\n") + "\n# end"
    }

    /// Runs a test's body with a wrapper for a key.
    /// - Parameter policy: what the gateway may do; everything if nil.
    func withWrapper(
        _ key: String = Transit.key, policy: String? = nil, _ body: (TransitKeyWrapper) async throws -> Void
    ) async throws {
        var token = api.token
        if let policy { token = try await api.makeToken(policy: policy) }
        try await withSession(VaultSession(api, .token(.value(SecretBytes(token))))) { session in
            try await body(TransitKeyWrapper.open(session, key: key, mount: mount, deadline: soon))
        }
    }
}

extension TransitKeyWrapper {
    func wrap(_ text: String, for place: String = "place") async throws -> [UInt8] {
        try await wrap(SecretBytes(text), associatedData: Array(place.utf8), deadline: soon)
    }

    func unwrap(_ blob: [UInt8], for place: String = "place") async throws -> String {
        try await unwrap(blob, associatedData: Array(place.utf8), deadline: soon).string
    }
}
