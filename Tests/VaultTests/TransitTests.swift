// Keys wrapped by a real Transit engine.

import Foundation
import NIOHTTP1
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `Transit as a key wrapper` {
    @Test(arguments: [
        ("aes256-gcm96", "AES-256-GCM"), ("chacha20-poly1305", "ChaCha20-Poly1305"),
        ("xchacha20-poly1305", "XChaCha20-Poly1305"),
    ])
    func `wraps and unwraps, and names its key`(type: String, algorithm: String) async throws {
        guard type != "xchacha20-poly1305" || !VaultProcess.isHashiCorp else { return }
        let transit = try await Transit(#"{"type":"\#(type)"}"#)
        // No more than docs/vault-transit.md asks for.
        try await transit.withWrapper(policy: transit.policy()) { wrapper in
            #expect(
                wrapper.descriptor
                    == KeyDescriptor(
                        id: "transit:\(transit.mount)/postern-kek", algorithm: algorithm, origin: "transit"))
            for count in [1, 16, 31, 32, 33, 64] {
                let key = String(repeating: "k", count: count)
                let blob = try await wrapper.wrap(key)
                #expect(try await wrapper.unwrap(blob) == key)
            }
            let health = await wrapper.health(deadline: soon)
            #expect(health == BackendHealth(isReady: true, detail: "ok"))
        }
    }

    @Test func `wraps to what Vault itself opens, as documented`() async throws {
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            let blob = try await wrapper.wrap("key", for: "place")
            #expect(blob.first == 1)
            let ciphertext = String(decoding: blob.dropFirst(), as: UTF8.self)
            #expect(ciphertext.hasPrefix("vault:v1:"))
            let binding = Data("postern-transit-wrap-v1place".utf8).base64EncodedString()
            let answer = try await transit.api.must(
                "POST", "\(transit.mount)/decrypt/postern-kek",
                #"{"ciphertext":"\#(ciphertext)","associated_data":"\#(binding)"}"#)
            #expect(try answer.value("data", "plaintext") == Data("key".utf8).base64EncodedString())
        }
    }

    @Test(arguments: [0, 65]) func `refuses keys of no bytes or too many`(count: Int) async throws {
        try await Transit().withWrapper { wrapper in
            await expectError(.internalError, containing: "not \(count)") {
                try await wrapper.wrap(String(repeating: "k", count: count))
            }
        }
    }

    @Test func `wraps with the newest version, opens older ones, and tells which are old`() async throws {
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            let old = try await wrapper.wrap("old")
            #expect(try await wrapper.needsRewrap(old, deadline: soon) == false)
            let descriptor = wrapper.descriptor
            try await transit.rotate()
            let new = try await wrapper.wrap("new")
            #expect(try TransitBlob(old, key: "").version == 1)
            #expect(try TransitBlob(new, key: "").version == 2)
            #expect(try await wrapper.unwrap(old) == "old")
            #expect(try await wrapper.unwrap(new) == "new")
            #expect(try await wrapper.needsRewrap(old, deadline: soon))
            #expect(try await wrapper.needsRewrap(new, deadline: soon) == false)
            #expect(wrapper.descriptor == descriptor)
        }
        try await transit.withWrapper { wrapper in
            #expect(wrapper.descriptor.id == "transit:\(transit.mount)/postern-kek")
            _ = try await wrapper.wrap("x")
        }
    }

    @Test func `below min_decryption_version says which version is required and how to get it back`() async throws {
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            let blob = try await wrapper.wrap("key")
            try await transit.rotate()
            try await transit.rotate()
            try await transit.configure(#"{"min_decryption_version":3}"#)
            await expectError(
                .keyUnavailable, containing: "made with version 1", "versions from 3 on",
                "lower min_decryption_version of \(transit.mount)/keys/postern-kek to 1"
            ) {
                try await wrapper.unwrap(blob)
            }
            try await transit.configure(#"{"min_decryption_version":1}"#)
            #expect(try await wrapper.unwrap(blob) == "key")
            try await transit.configure(#"{"min_decryption_version":2,"min_encryption_version":2}"#)
            try await transit.api.must(
                "POST", "\(transit.mount)/keys/postern-kek/trim", #"{"min_available_version":2}"#)
            await expectError(.keyUnavailable, containing: "version 1 was trimmed away", "backup") {
                try await wrapper.unwrap(blob)
            }
        }
    }

    @Test func `of a key that is deleted wraps nothing, and makes no new key of its name`() async throws {
        let transit = try await Transit()
        // The root token could create keys.
        try await transit.withWrapper { wrapper in
            let blob = try await wrapper.wrap("key")
            try await transit.delete()
            await expectError(.keyUnavailable, containing: "no such key", "restore it") {
                try await wrapper.unwrap(blob)
            }
            await expectError(.keyUnavailable, containing: "no such key") { try await wrapper.wrap("key") }
            #expect(try await transit.api.call("GET", "\(transit.mount)/keys/postern-kek").status == 404)
            let health = await wrapper.health(deadline: soon)
            #expect(!health.isReady && health.detail.contains("no such key"))

            // One that is made anew is another key, and one of another type not even that.
            try await transit.makeKey(Transit.key)
            await expectError(.integrityFailure, containing: "deleted and made anew") {
                try await wrapper.unwrap(blob)
            }
            try await transit.delete()
            try await transit.makeKey(Transit.key, #"{"type":"chacha20-poly1305"}"#)
            await expectError(.keyUnavailable, containing: "AES-256-GCM at start", "ChaCha20-Poly1305 now") {
                try await wrapper.wrap("key")
            }
        }
    }

    @Test func `of a key that is soft-deleted asks for it to be restored`() async throws {
        guard !VaultProcess.isHashiCorp else { return }
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            let blob = try await wrapper.wrap("key")
            try await transit.api.must("DELETE", "\(transit.mount)/keys/postern-kek/soft-delete")
            await expectError(.keyUnavailable, containing: "soft-deleted") { try await wrapper.unwrap(blob) }
            await expectError(.keyUnavailable, containing: "soft-deleted") { try await wrapper.wrap("key") }
            try await transit.api.must("POST", "\(transit.mount)/keys/postern-kek/soft-delete-restore")
            #expect(try await wrapper.unwrap(blob) == "key")
        }
    }

    @Test(arguments: [
        (#"{"type":"rsa-2048"}"#, "type rsa-2048"), (#"{"type":"ed25519"}"#, "type ed25519"),
        (#"{"type":"aes128-gcm96"}"#, "type aes128-gcm96"), (#"{"derived":true}"#, "derived=true"),
    ])
    func `is not opened with a key that cannot bind what it wraps`(settings: String, text: String) async throws {
        let transit = try await Transit(settings)
        await expectError(.keyUnavailable, containing: text, "make one") { try await transit.withWrapper { _ in } }
    }

    @Test func `is not opened without a key, a mount or the rights, and says what is missing`() async throws {
        let transit = try await Transit()
        await expectError(.keyUnavailable, containing: "transit:\(transit.mount)/other", "no such key") {
            try await transit.withWrapper("other") { _ in }
        }
        for (policy, path) in [
            (transit.policy(read: false), "keys/postern-kek\" { capabilities = [\"read\"] }"),
            (transit.policy(encrypt: false), "encrypt/postern-kek\" { capabilities = [\"update\"] }"),
            (transit.policy(decrypt: false), "decrypt/postern-kek\" { capabilities = [\"update\"] }"),
        ] {
            await expectError(.keyUnavailable, containing: "path \"\(transit.mount)/\(path)") {
                try await transit.withWrapper(policy: policy) { _ in }
            }
        }
        try await withSession(VaultSession(transit.api, .token(.value(SecretBytes("root"))))) { session in
            await expectError(.keyUnavailable, containing: "nothing is mounted at nowhere") {
                try await TransitKeyWrapper.open(session, key: "k", mount: "nowhere", deadline: soon)
            }
            await expectError(.invalidArgument) {
                try await TransitKeyWrapper.open(session, key: "a/b", deadline: soon)
            }
        }
    }

    @Test func `is not opened on a server that takes no notice of what a key is bound to`() async throws {
        // Servers from before Transit had associated data pass over it in silence; none is to be had any more.
        let old = try await LocalHTTPServer { head, body in
            switch head.uri {
            case "/v1/auth/token/lookup-self": (.ok, ["data": ["ttl": 0, "expire_time": NSNull()]])
            case "/v1/transit/keys/k": (.ok, ["data": ["type": "aes256-gcm96", "latest_version": 1]])
            case "/v1/transit/encrypt/k": (.ok, ["data": ["ciphertext": "vault:v1:\(body["plaintext"] ?? "")"]])
            case "/v1/transit/decrypt/k":
                (.ok, ["data": ["plaintext": "\(body["ciphertext"] ?? "")".dropFirst("vault:v1:".count)]])
            default: (.notFound, ["errors": []])
            }
        }
        let api = VaultAPI(address: old.address, token: "t")
        try await withSession(VaultSession(api, .token(.value(SecretBytes("t"))))) { session in
            await expectError(.keyUnavailable, containing: "takes no notice of associated_data") {
                try await TransitKeyWrapper.open(session, key: "k", deadline: soon)
            }
        }
        try await old.close()
    }

    @Test func `while Vault is sealed or away says so`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        let api = cluster.api(0)
        try await api.must("POST", "sys/mounts/transit", #"{"type":"transit"}"#)
        try await api.must("POST", "transit/keys/k", "{}")
        var options = VaultOptions(addresses: [try VaultAddress(api.address)])
        options.tls.authorities = cluster.authority
        options.patience = .milliseconds(100)
        try await withSession(VaultSession(options, .token(.value(SecretBytes(cluster.rootToken))))) { session in
            let wrapper = try await TransitKeyWrapper.open(session, key: "k", deadline: soon)
            let blob = try await wrapper.wrap("key")
            try await cluster.seal(cluster.nodes[0])
            await expectError(.keyUnavailable, containing: "transit:transit/k cannot be used", "unseal it") {
                try await wrapper.unwrap(blob)
            }
            cluster.nodes[0].kill()
            await expectError(.keyUnavailable, containing: "transit:transit/k cannot be used") {
                try await wrapper.unwrap(blob)
            }
            let health = await wrapper.health(deadline: soon)
            #expect(!health.isReady)
            try cluster.nodes[0].start()
            try await cluster.unseal(cluster.nodes[0])
            try await eventually("it works again") {
                do throws(SecretError) {
                    let key = try await wrapper.unwrap(blob, associatedData: Array("place".utf8), deadline: soon)
                    return key == SecretBytes("key")
                } catch {
                    return false
                }
            }
        }
    }

    @Test func `does not start what nobody waits for`() async throws {
        try await Transit().withWrapper { wrapper in
            let late = Deadline.after(.seconds(-1))
            await expectError(.deadlineExceeded) {
                try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: late)
            }
            let blob = try await wrapper.wrap("key")
            await expectError(.deadlineExceeded) {
                try await wrapper.unwrap(blob, associatedData: [], deadline: late)
            }
        }
    }
}
