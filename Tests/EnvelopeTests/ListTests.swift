import BackendConformance
import Envelope
import PosternProtocol
import Testing

@Suite struct ListTests {
    /// Domains whose keys sort before and after `.postern/`.
    private static let before = ["-a/x", "-b", ".a/x", ".o"]
    private static let after = [".q/x", ".q/y", "0/x", "A/x", "z/x", "z/y/z"]

    @Test(arguments: [[], before, after, before + after], [0, 1, 2, 12])
    func `lists at the root have all secrets, full pages and no reserved entries`(
        paths: [String], reserved: Int
    ) async throws {
        for limit in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 20, 100] {
            try await check(paths, reserved: reserved, limit: limit)
        }
    }

    private func check(_ paths: [String], reserved: Int, limit: Int) async throws {
        let store = InMemoryBackend()
        let envelope = try EnvelopeBackend(store: store, keyWrappers: [TestKeyWrapper()], options: .patient)
        for path in paths { try await envelope.put(path, "v") }
        for extra in 0..<reserved {
            // Also more reserved entries than a page has, and reserved folders beside the keyring.
            let payload = try Payload(value: SecretBytes("x"))
            for path in [".postern/keyring/gone\(extra)", ".postern-\(extra)/x", ".postern\(extra)"] {
                _ = try await store.write(SecretPath.stored(path), payload, expecting: 0, deadline: soon)
            }
        }
        for recursive in [true, false] {
            var seen: [String] = []
            var after: String?
            repeat {
                let page = try await envelope.list(
                    ListQuery(recursive: recursive, after: after, limit: limit), deadline: soon)
                #expect(page.next == nil || page.entries.count == limit, "a short page, limit \(limit)")
                #expect(after == nil || !page.entries.isEmpty, "no page is promised in vain")
                seen += page.entries.map(\.key)
                after = page.next
            } while after != nil
            let expected = recursive ? Set(paths) : Set(paths.map(Self.top))
            #expect(seen == expected.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        }
    }

    @Test func `lists below a prefix, and from a key within the reserved ones, go on`() async throws {
        let envelope = try EnvelopeBackend(store: InMemoryBackend(), keyWrappers: [TestKeyWrapper()], options: .patient)
        for path in ["a/x", "a/y", "z/x"] { try await envelope.put(path, "v") }
        let below = try await envelope.list(ListQuery(prefix: PathPrefix("a"), limit: 10), deadline: soon)
        #expect(below.entries.map(\.key) == ["a/x", "a/y"])
        for after in [".postern/keyring/a", ".postern/", ".postern~", ".p", ".q"] {
            let page = try await envelope.list(ListQuery(recursive: true, after: after, limit: 2), deadline: soon)
            #expect(page.entries.map(\.key) == ["a/x", "a/y"])
            #expect(page.next != nil)
        }
    }

    private static func top(_ path: String) -> String {
        path.contains("/") ? path.prefix { $0 != "/" } + "/" : path
    }
}
