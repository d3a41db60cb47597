// Lists on servers that page and on those that do not, among names of others, and what a page costs.

import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

/// A mount behind a proxy that counts requests; without paging, it takes the query off each.
private func withProxy(
    paging: Bool, _ body: (VaultBackend, UnreliableProxy, KVPlace) async throws -> Void
) async throws {
    let api = try await DevServer.shared.api
    let strip: @Sendable (String) -> String = { request in
        guard !paging, request.hasPrefix("LIST "), let query = request.firstIndex(of: "?"),
            let end = request[query...].firstIndex(of: " ")
        else { return request }
        return String(request[..<query] + request[end...])
    }
    let proxy = try await UnreliableProxy(to: api.address, rewrite: strip)
    let place = KVPlace(api: api, mount: try await api.makeKV())
    let vault = try VaultUnderTest([proxy.address], mount: place.mount, token: api.token)
    do {
        try await body(vault.backend, proxy, place)
    } catch {
        proxy.stop()
        try await vault.close()
        throw error
    }
    proxy.stop()
    try await vault.close()
}

extension SecretBackend {
    /// All pages' keys; no page is empty but the only one, and none is too large.
    fileprivate func allKeys(
        _ prefix: String = "", recursive: Bool, after: String? = nil, limit: Int
    ) async throws -> [String] {
        var keys: [String] = []
        var next = after
        repeat {
            let page = try await self.keys(prefix, recursive: recursive, after: next, limit: limit)
            #expect(page.entries.count <= limit && (page.next == nil || page.entries.count == limit))
            #expect(!page.entries.isEmpty || next == after)
            keys += page.entries.map(\.key)
            next = page.next
        } while next != nil
        return keys
    }
}

@Suite(.timeLimit(.minutes(5))) struct `Lists of Vault's names` {
    private static let names = ["a", "a-b", "a.b", "a/b", "a/c", "a/c/d", "a0", "b/x/y/z", "b/x/y0", "c"]

    @Test(arguments: [true, false])
    func `are the same whether or not the server can page`(paging: Bool) async throws {
        try await withProxy(paging: paging) { backend, _, _ in
            for name in Self.names { try await backend.put(name) }
            for limit in 1...Self.names.count + 1 {
                #expect(try await backend.allKeys(recursive: true, limit: limit) == Self.names)
                #expect(
                    try await backend.allKeys(recursive: false, limit: limit) == [
                        "a", "a-b", "a.b", "a/", "a0", "b/", "c",
                    ])
                #expect(try await backend.allKeys("a", recursive: false, limit: limit) == ["a/b", "a/c", "a/c/"])
            }
            for after in [
                "", "/", "a", "a/", "a/c", "a/c/", "a/c/d", "a//", "a/b/x/y", "b/x/y", "b/w", "é", "~", "\u{0}", "A",
            ] {
                for recursive in [true, false] {
                    let all = try await backend.allKeys(recursive: recursive, limit: 100)
                    #expect(
                        try await backend.allKeys(recursive: recursive, after: after, limit: 2)
                            == all.filter { after.utf8.lexicographicallyPrecedes($0.utf8) }, "after \(after)")
                }
            }
        }
    }

    @Test(arguments: [true, false])
    func `leave out names of others, and no page is empty for that`(paging: Bool) async throws {
        try await withProxy(paging: paging) { backend, _, place in
            for name in ["a", "m/x", "z"] { try await backend.put(name) }
            // Some sort before, some between, some behind; folders that hold nothing of ours too.
            for number in 0..<30 {
                let data = #"{"data":{"a":"b"}}"#
                try await place.api.must("POST", "\(place.mount)/data/b%20\(number)", data)
                if number < 5 {
                    try await place.api.must("POST", "\(place.mount)/data/m/%20\(number)/x", data)
                    try await place.api.must("POST", "\(place.mount)/data/only/\(number)%20x", data)
                }
            }
            for name in ["!", "~", "%C3%A9", "..x%20"] {
                try await place.api.must("POST", "\(place.mount)/data/\(name)", #"{"data":{"a":"b"}}"#)
            }
            for limit in [1, 2, 3, 100] {
                #expect(try await backend.allKeys(recursive: true, limit: limit) == ["a", "m/x", "z"])
                #expect(try await backend.allKeys(recursive: false, limit: limit) == ["a", "m/", "only/", "z"])
                #expect(try await backend.allKeys("only", recursive: false, limit: limit) == [])
            }
        }
    }

    @Test func `have secrets deeper than a path can be left out`() async throws {
        try await withKV { backend, place in
            let deep = Array(repeating: "s", count: SecretPath.maximumSegments).joined(separator: "/")
            try await backend.put(deep)
            try await place.api.must("POST", "\(place.mount)/data/\(deep)/deeper", #"{"data":{"a":"b"}}"#)
            #expect(try await backend.allKeys(recursive: true, limit: 10) == [deep])
        }
    }

    @Test func `cost a request for each folder that a page touches`() async throws {
        try await withProxy(paging: true) { backend, proxy, _ in
            guard !VaultProcess.isHashiCorp else { return }
            for number in 10..<60 { try await backend.put("flat/n\(number)") }
            for folder in 10..<20 { for number in 0..<3 { try await backend.put("tree/f\(folder)/n\(number)") } }
            func cost(_ prefix: String, _ recursive: Bool, _ after: String?, _ limit: Int) async throws -> Int {
                let before = proxy.exchanges
                let page = try await backend.keys(prefix, recursive: recursive, after: after, limit: limit)
                #expect(page.entries.count == limit)
                return proxy.exchanges - before
            }
            #expect(try await cost("flat", false, nil, 5) == 1)
            #expect(try await cost("flat", true, "flat/n40", 5) == 1)
            // The top, and the folder.
            #expect(try await cost("", true, nil, 5) == 2)
            // The folder that the page begins in, and the two on the way to it.
            #expect(try await cost("", true, "flat/n40", 5) == 1)
            // The rest of one folder, their parent, and three more.
            #expect(try await cost("tree", true, "tree/f12/n1", 9) == 5)
        }
    }

    @Test func `do not ask again and again for a folder full of names of others`() async throws {
        try await withProxy(paging: true) { backend, proxy, place in
            guard !VaultProcess.isHashiCorp else { return }
            for number in 0..<100 {
                try await place.api.must("POST", "\(place.mount)/data/b%20\(number)", #"{"data":{"a":"b"}}"#)
            }
            try await backend.put("z")
            let before = proxy.exchanges
            #expect(try await backend.keys(limit: 1).entries.map(\.key) == ["z"])
            // Each read takes as many names as all before it.
            #expect(proxy.exchanges - before <= 8)
        }
    }
}
