// The names of all secrets in a store, page by page, without Postern's own records.

import PosternProtocol

/// Walks over the secrets of a store in order.
struct SecretNames {
    private let store: any SecretBackend
    private let pageSize: Int
    private var page: [SecretPath] = []
    private var next: String?
    private var isAtEnd = false

    init(_ store: any SecretBackend, after cursor: String? = nil, pageSize: Int = 500) {
        self.store = store
        self.pageSize = pageSize
        next = cursor
    }

    /// The next names, at most as many as asked for; empty at the end.
    mutating func take(_ count: Int) async throws(SecretError) -> [SecretPath] {
        while page.count < count, !isAtEnd {
            let list = try await store.list(
                ListQuery(recursive: true, after: next, limit: pageSize), deadline: .after(.seconds(60)))
            for case .secret(let path) in list.entries where !path.isReserved { page.append(path) }
            next = list.next
            isAtEnd = list.next == nil
        }
        defer { page.removeFirst(min(count, page.count)) }
        return Array(page.prefix(count))
    }
}

/// Walks over the secrets of two stores together.
struct MergedNames {
    private var (mine, theirs): (SecretNames, SecretNames)
    private var (left, right): ([SecretPath], [SecretPath]) = ([], [])

    init(_ source: any SecretBackend, _ target: any SecretBackend) {
        mine = SecretNames(source)
        theirs = SecretNames(target)
    }

    /// The next name, and on which sides there is such a secret; nil at the end.
    mutating func next() async throws(SecretError) -> (path: SecretPath, isInSource: Bool, isInTarget: Bool)? {
        // In reverse, so that taking the next one is taking the last.
        if left.isEmpty { left = try await mine.take(500).reversed() }
        if right.isEmpty { right = try await theirs.take(500).reversed() }
        guard let first = left.last else { return right.popLast().map { ($0, false, true) } }
        guard let second = right.last else { return left.popLast().map { ($0, true, false) } }
        if first <= second { left.removeLast() }
        if second <= first { right.removeLast() }
        return first <= second ? (first, true, first == second) : (second, false, true)
    }
}
