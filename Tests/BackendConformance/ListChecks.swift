// Lists: what is in them, in which order, and how they are paged.

import PosternProtocol

/// Names that sort around the slash, differ in case, or match each other under SQL wildcards.
private let names = [
    "a", "a-b", "a.b", "a/b", "a/c/d", "a/c/e", "a/c", "a0", "ab", "abc/x", "B", "_x", "a_c/x", "abc", "a/B", "z/y/x/w",
]

private let prefixes = ["", "a", "a/c", "ab", "abc", "a_c", "z", "z/y", "z/y/x/w", "nothing", "a/c/d"]

let listChecks = [
    ConformanceCheck("a list has direct children, and a name may be both a secret and a folder") { subject in
        try await fill(subject)
        try expectEqual(
            try await subject.keys(),
            ["B", "_x", "a", "a-b", "a.b", "a/", "a0", "a_c/", "ab", "abc", "abc/", "z/"], "direct children")
        try expectEqual(try await subject.keys("a"), ["a/B", "a/b", "a/c", "a/c/"], "direct children of a")
        let query = try ListQuery(prefix: PathPrefix("a"))
        let page = try await subject.backend.list(query, deadline: subject.deadline)
        try expectEqual(
            page.entries.suffix(2), [.secret(try SecretPath("a/c")), .folder(try PathPrefix("a/c"))], "the entries")
        try expectEqual(page.next, nil, "next of the only page")
    },
    ConformanceCheck("a recursive list has every secret below, in byte order") { subject in
        try await fill(subject)
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        try expectEqual(try await subject.keys(recursive: true), sorted, "all secrets")
        try expectEqual(
            try await subject.keys("a", recursive: true), ["a/B", "a/b", "a/c", "a/c/d", "a/c/e"], "all below a")
    },
    ConformanceCheck("a prefix ends where a segment ends") { subject in
        try await fill(subject)
        for prefix in ["ab", "A", "b", "a_", "_", "a/c/d", "nothing"] {
            try expectEqual(try await subject.keys(prefix), [], "direct children of \(prefix)")
            try expectEqual(try await subject.keys(prefix, recursive: true), [], "all below \(prefix)")
        }
        try expectEqual(try await subject.keys("a_c", recursive: true), ["a_c/x"], "all below a_c")
    },
    ConformanceCheck("pages of every size add up to the same list") { subject in
        try await fill(subject)
        for prefix in prefixes {
            for recursive in [false, true] {
                let whole = expected(prefix, recursive: recursive)
                for limit in 1...names.count + 1 {
                    try expectEqual(
                        try await subject.keys(prefix, recursive: recursive, limit: limit), whole,
                        "\"\(prefix)\" in pages of \(limit), recursive: \(recursive)")
                }
            }
        }
    },
    ConformanceCheck("a list starts after any key, whether or not there is such an entry") { subject in
        try await fill(subject)
        let starts =
            names + names.map { $0 + "/" } + names.map { $0 + "0" } + names.map { String($0.dropLast()) }
            + ["", "/", "a/c/d/", "a/c/zzz", "a/zzz", "~", "é", "\u{0}", "%", "z/y/x/w/v", "a//", "a/c!", ".postern"]
        for prefix in ["", "a", "a/c", "nothing"] {
            for recursive in [false, true] {
                for start in starts {
                    try expectEqual(
                        try await subject.keys(prefix, recursive: recursive, after: start, limit: 3),
                        expected(prefix, recursive: recursive).filter { start.utf8.lexicographicallyPrecedes($0.utf8) },
                        "\"\(prefix)\" after \"\(start)\", recursive: \(recursive)")
                }
            }
        }
    },
    ConformanceCheck("deleted and destroyed secrets are listed, removed ones are not") { subject in
        for name in ["d/deleted", "d/destroyed", "d/removed", "d/sub/removed", "d/x/kept", "d/x/removed"] {
            try await subject.write(name)
        }
        try await subject.delete("d/deleted")
        try await subject.destroy("d/destroyed", [1])
        for name in ["d/removed", "d/sub/removed", "d/x/removed"] { try await subject.remove(name) }
        try expectEqual(try await subject.keys("d"), ["d/deleted", "d/destroyed", "d/x/"], "direct children")
        try expectEqual(
            try await subject.keys("d", recursive: true), ["d/deleted", "d/destroyed", "d/x/kept"], "all below")
    },
    ConformanceCheck("while names come and go, paging neither repeats nor misses those that stay") { subject in
        let staying = (0..<20).map { "p/s\($0 + 10)" }
        for name in staying { try await subject.write(name) }
        try await subject.write("p/s10-going")
        var seen: [String] = []
        var next: String?
        var round = 0
        repeat {
            let query = try ListQuery(prefix: PathPrefix("p"), after: next, limit: 2)
            let page = try await subject.backend.list(query, deadline: subject.deadline)
            seen += page.entries.map(\.key)
            next = page.next
            round += 1
            try expect(round < 100, "paging does not come to an end")
            if round == 1 { try await subject.remove("p/s10-going") }
            // One that comes behind the reader and one that comes before it.
            try await subject.write("p/a\(round)")
            try await subject.write("p/t\(round + 10)/x")
        } while next != nil && round < 60
        try expectEqual(seen.filter { staying.contains($0) }, staying, "the names that stayed")
        try expectEqual(Set(seen).count, seen.count, "no repetitions")
    },
]

private func fill(_ subject: Subject) async throws {
    for name in names { try await subject.write(name) }
}

/// The list by the words of the contract: every key once, in byte order.
private func expected(_ prefix: String, recursive: Bool) -> [String] {
    let stem = prefix.isEmpty ? "" : prefix + "/"
    let below = names.filter { $0.utf8.starts(with: stem.utf8) }
    let keys = below.map { name in
        guard !recursive, let slash = name.dropFirst(stem.count).firstIndex(of: "/") else { return name }
        return String(name[...slash])
    }
    return Set(keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
