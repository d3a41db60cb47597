// Very many names. A backend whose pages cost more than a page takes minutes here instead of seconds.

import PosternProtocol

private let perFolder = 100

let longListChecks = [
    ConformanceCheck("very many names are paged in order, and a page costs a page") { subject in
        let half = subject.scale / 2
        let flat = (0..<half).map { "flat/" + digits($0) }
        let tree = (0..<half).map { "tree/" + digits($0 / perFolder) + "/" + digits($0 % perFolder) }
        try await fill(subject, flat + tree)
        try await subject.write("zebra")

        let all = try await subject.keys(recursive: true, limit: ListQuery.maximumLimit)
        try expect(all == flat + tree + ["zebra"], "the list has \(all.count) names, or not in order")
        try expectEqual(try await subject.keys("flat", limit: 997).count, half, "names in the flat folder")
        let folders = try await subject.keys("tree", limit: 7)
        try expect(Set(tree.map { $0.prefix(12) + "/" }) == Set(folders.map { $0[...] }), "folders are missing")

        // Each of these would read all names if a folder were scanned, or if pages were counted off from the start.
        for round in 0..<500 {
            try expectEqual(try await subject.keys(limit: 3), ["flat/", "tree/", "zebra"], "the top")
            let start = flat[flat.count * round / 500]
            let query = try ListQuery(prefix: PathPrefix("flat"), recursive: true, after: start, limit: 5)
            let page = try await subject.backend.list(query, deadline: subject.deadline)
            try expect(page.entries.allSatisfy { start < $0.key }, "a page has names from before its start")
        }
    }
]

private func fill(_ subject: Subject, _ names: [String]) async throws {
    let writers = 16
    try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<writers {
            group.addTask {
                for index in stride(from: writer, to: names.count, by: writers) {
                    try await subject.write(names[index])
                }
            }
        }
        try await group.waitForAll()
    }
}

private func digits(_ number: Int) -> String {
    String(String(10_000_000 + number).dropFirst())
}
