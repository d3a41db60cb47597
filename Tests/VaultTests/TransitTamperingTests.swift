// Wrapped keys that were changed, moved, or never were any.

import Foundation
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite struct `A key wrapped by Transit` {
    @Test func `opens for what it was bound to only`() async throws {
        try await Transit().withWrapper { wrapper in
            let blob = try await wrapper.wrap("key", for: "place")
            for other in ["", "plac", "place ", "Place"] {
                await expectError(.integrityFailure) { try await wrapper.unwrap(blob, for: other) }
            }
            let unbound = try await wrapper.wrap("key", for: "")
            #expect(try await wrapper.unwrap(unbound, for: "") == "key")
            await expectError(.integrityFailure) { try await wrapper.unwrap(unbound, for: "place") }
        }
    }

    @Test func `does not open with another key`() async throws {
        let transit = try await Transit()
        try await transit.makeKey("other")
        var blob: [UInt8] = []
        try await transit.withWrapper { wrapper in blob = try await wrapper.wrap("key") }
        try await transit.withWrapper("other") { wrapper in
            await expectError(.integrityFailure) { try await wrapper.unwrap(blob) }
        }
    }

    @Test func `does not open with one byte changed, whichever it is`() async throws {
        let transit = try await Transit()
        try await transit.rotate()
        try await transit.rotate()
        try await transit.withWrapper { wrapper in
            let blob = try await wrapper.wrap(String(repeating: "k", count: 32))
            for index in blob.indices {
                var changed = blob
                // A base64 digit becomes another, a version's digit that of one that exists.
                changed[index] = changed[index] == UInt8(ascii: "2") ? UInt8(ascii: "1") : UInt8(ascii: "2")
                await expectError(.integrityFailure, containing: "changed") { try await wrapper.unwrap(changed) }
            }
        }
    }

    @Test func `has one spelling: what Vault would take for the same is refused`() async throws {
        let transit = try await Transit()
        try await transit.withWrapper { wrapper in
            // One byte too few for a whole group, so that there is padding.
            let blob = try await wrapper.wrap(String(repeating: "k", count: 31))
            let text = String(decoding: blob.dropFirst(), as: UTF8.self)
            let body = String(text.dropFirst("vault:v1:".count))
            #expect(body.hasSuffix("="))
            let last = try #require(body.dropLast().last)
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
            let next = alphabet[try #require(alphabet.firstIndex(of: last)) + 1]
            let binding = Data("postern-transit-wrap-v1place".utf8).base64EncodedString()
            var taken = 0
            for other in [
                "vault:v0:\(body)", "vault:v01:\(body)", "vault:v+1:\(body)",
                "vault:v1:\(body.prefix(8))\n\(body.dropFirst(8))",
                "vault:v1:\(body.dropLast(2))\(next)=", "vault:v1:\(body)\n", "vault:v9:\(body)",
                "vault:v99999999999999999999:\(body)", "vault:v:\(body)", "vault:v1:", "vault:v1", "", "\(body)",
                "hault:v1:\(body)", "vault:v1:\(body.dropLast(1))", "vault:v1:\(body.dropFirst(4))",
            ] {
                await expectError(.integrityFailure) { try await wrapper.unwrap([1] + Array(other.utf8)) }
                let request = try JSONSerialization.data(withJSONObject: [
                    "ciphertext": other, "associated_data": binding,
                ])
                let answer = try await transit.api.call(
                    "POST", "\(transit.mount)/decrypt/postern-kek", String(decoding: request, as: UTF8.self))
                if answer.status == 200 { taken += 1 }
            }
            // Otherwise this would show nothing that Vault does not do itself.
            #expect(taken > 0)
        }
    }

    @Test(arguments: [[], [1], [0], [2] + Array("vault:v1:AAAA".utf8), Array("vault:v1:AAAA".utf8)])
    func `is told from what is none`(blob: [UInt8]) async throws {
        try await Transit().withWrapper { wrapper in
            await expectError(.integrityFailure, containing: "not a key wrapped by Transit") {
                try await wrapper.unwrap(blob)
            }
            await expectError(.integrityFailure) { try await wrapper.needsRewrap(blob, deadline: soon) }
        }
    }
}
