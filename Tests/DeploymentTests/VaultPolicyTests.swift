import Foundation
import TestPrograms
import Testing
import VaultServers

/// The rights that init-vault.sh gives to Postern: what it needs, and nothing else.
@Suite(.timeLimit(.minutes(5))) struct VaultPolicyTests {
    @Test func `Postern may do all that it must`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        let done = try await prepared.prepare(names: names).mustSucceed()
        let postern = try await prepared.server.login(done.exports)
        let (kv, transit) = (names.kv, names.transit)

        try await postern.must("GET", "\(kv)/config")
        try await postern.must("POST", "\(kv)/data/llm/key", #"{"data":{"value":"1"},"options":{"cas":0}}"#)
        try await postern.must("POST", "\(kv)/data/llm/key", #"{"data":{"value":"2"},"options":{"cas":1}}"#)
        try await postern.must("GET", "\(kv)/data/llm/key?version=1")
        try await postern.must("LIST", "\(kv)/metadata/")
        try await postern.must("LIST", "\(kv)/metadata")
        try await postern.must("LIST", "\(kv)/metadata/llm/")
        try await postern.must("GET", "\(kv)/metadata/llm/key")
        try await postern.must("POST", "\(kv)/metadata/new", #"{"max_versions":5}"#)
        try await postern.must("POST", "\(kv)/metadata/llm/key", #"{"max_versions":7}"#)
        try await postern.must(
            "PATCH", "\(kv)/metadata/llm/key", #"{"custom_metadata":{"a":"b"}}"#,
            contentType: "application/merge-patch+json")
        try await postern.must("DELETE", "\(kv)/data/llm/key")
        try await postern.must("POST", "\(kv)/undelete/llm/key", #"{"versions":[2]}"#)
        try await postern.must("POST", "\(kv)/delete/llm/key", #"{"versions":[1]}"#)
        try await postern.must("POST", "\(kv)/destroy/llm/key", #"{"versions":[1]}"#)
        try await postern.must("DELETE", "\(kv)/metadata/llm/key")

        let plaintext = Data("a key".utf8).base64EncodedString()
        let wrapped: String = try await postern.must(
            "POST", "\(transit)/encrypt/\(names.key)", #"{"plaintext":"\#(plaintext)"}"#
        ).value("data", "ciphertext")
        let rewrapped: String = try await postern.must(
            "POST", "\(transit)/rewrap/\(names.key)", #"{"ciphertext":"\#(wrapped)"}"#
        ).value("data", "ciphertext")
        let opened: String = try await postern.must(
            "POST", "\(transit)/decrypt/\(names.key)", #"{"ciphertext":"\#(rewrapped)"}"#
        ).value("data", "plaintext")
        #expect(opened == plaintext)
        try await postern.must("GET", "\(transit)/keys/\(names.key)")

        try await postern.must("GET", "auth/token/lookup-self")
        try await postern.must("POST", "auth/token/renew-self", "{}")
        try await postern.must("POST", "sys/capabilities-self", #"{"paths":["\#(kv)/data/x"]}"#)
        try await postern.must("POST", "auth/token/revoke-self")
    }

    @Test func `Postern may do nothing else`() async throws {
        let prepared = try await PreparedServer.shared
        let (names, other) = (PreparedServer.Names(), PreparedServer.Names())
        let done = try await prepared.prepare(names: names).mustSucceed()
        // What belongs to others is there, so that it is refused and not missing.
        try await prepared.prepare(names: other).mustSucceed()
        try await prepared.api.must("POST", "\(other.kv)/data/a", #"{"data":{"value":"x"}}"#)
        try await prepared.api.must("POST", "\(names.transit)/keys/\(other.key)", "{}")
        let postern = try await prepared.server.login(done.exports)
        let (kv, transit, key) = (names.kv, names.transit, names.key)
        for (method, path, body) in [
            ("GET", "\(other.kv)/data/a", nil), ("LIST", "\(other.kv)/metadata/", nil),
            ("GET", "\(other.kv)/config", nil),
            ("POST", "\(other.kv)/data/a", #"{"data":{}}"#), ("DELETE", "\(other.kv)/metadata/a", nil),
            ("POST", "\(kv)/config", #"{"max_versions":1}"#), ("GET", "\(kv)/subkeys/a", nil),
            ("POST", "\(transit)/encrypt/\(other.key)", #"{"plaintext":"YQ=="}"#),
            ("POST", "\(transit)/encrypt/new-\(key)", #"{"plaintext":"YQ=="}"#),
            ("GET", "\(transit)/keys/\(other.key)", nil), ("LIST", "\(transit)/keys", nil),
            ("POST", "\(transit)/keys/\(key)/rotate", "{}"),
            ("POST", "\(transit)/keys/\(key)/config", #"{"deletion_allowed":true}"#),
            ("POST", "\(transit)/keys/\(key)/trim", #"{"min_available_version":1}"#),
            ("DELETE", "\(transit)/keys/\(key)", nil), ("GET", "\(transit)/export/encryption-key/\(key)", nil),
            ("GET", "\(transit)/backup/\(key)", nil), ("POST", "\(transit)/datakey/plaintext/\(key)", "{}"),
            ("POST", "\(transit)/hmac/\(key)", #"{"input":"YQ=="}"#),
            ("POST", "\(other.transit)/encrypt/\(other.key)", #"{"plaintext":"YQ=="}"#),
            ("GET", "sys/mounts", nil), ("POST", "sys/mounts/x", #"{"type":"kv"}"#), ("GET", "sys/auth", nil),
            ("GET", "sys/policies/acl/\(names.policy)", nil), ("PUT", "sys/policies/acl/x", #"{"policy":""}"#),
            ("PUT", "sys/seal", "{}"), ("GET", "sys/audit", nil), ("POST", "sys/capabilities", #"{"paths":["a"]}"#),
            ("POST", "auth/token/create", "{}"), ("POST", "auth/token/create-orphan", "{}"),
            ("LIST", "auth/token/accessors", nil), ("POST", "auth/token/lookup", #"{"token":"x"}"#),
            ("POST", "auth/\(names.approle)/role/\(names.role)/secret-id", "{}"),
            ("GET", "auth/\(names.approle)/role/\(names.role)", nil), ("GET", "cubbyhole/x", nil),
            ("LIST", "identity/entity/id", nil), ("GET", "sys/raw/core/keyring", nil),
            ("POST", "sys/wrapping/wrap", "{}"),
        ] as [(String, String, String?)] {
            let answer = try await postern.call(method, path, body)
            #expect(answer.status == 403, "\(method) \(path): \(answer.status)")
        }
    }

    @Test func `the rights that are written are the ones that are meant`() async throws {
        let prepared = try await PreparedServer.shared
        let names = PreparedServer.Names()
        try await prepared.prepare(names: names).mustSucceed()
        let token: String = try await prepared.api.must(
            "POST", "auth/token/create", #"{"policies":["\#(names.policy)"],"no_default_policy":true}"#
        ).value("auth", "client_token")
        let (kv, transit) = (names.kv, names.transit)
        let meant = [
            "\(kv)/data/a/b": ["create", "delete", "read", "update"], "\(kv)/delete/a": ["update"],
            "\(kv)/undelete/a": ["update"], "\(kv)/destroy/a": ["update"],
            "\(kv)/metadata/a": ["create", "delete", "list", "patch", "read", "update"], "\(kv)/metadata/": ["list"],
            "\(kv)/config": ["read"], "\(kv)/": ["deny"], "\(kv)x/data/a": ["deny"],
            "\(transit)/keys/\(names.key)": ["read"], "\(transit)/encrypt/\(names.key)": ["update"],
            "\(transit)/decrypt/\(names.key)": ["update"], "\(transit)/rewrap/\(names.key)": ["update"],
            "\(transit)/encrypt/\(names.key)x": ["deny"], "sys/mounts": ["deny"], "sys/capabilities-self": ["update"],
            "auth/token/lookup-self": ["read"], "auth/token/renew-self": ["update"],
            "auth/token/revoke-self": ["update"], "auth/token/create": ["deny"],
        ]
        let request = try JSONSerialization.data(withJSONObject: ["token": token, "paths": Array(meant.keys)])
        let answer = try await prepared.api.must(
            "POST", "sys/capabilities", String(decoding: request, as: UTF8.self))
        for (path, capabilities) in meant {
            let given: [String] = try answer.value("data", path)
            #expect(given.sorted() == capabilities, "\(path)")
        }
    }
}
