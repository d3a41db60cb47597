// Lists without Postern's own records.

public import PosternProtocol

extension EnvelopeBackend {
    /// Comes after every key that starts with `.postern` and before all that follow them: `~` is greater than
    /// any byte of a path.
    private static let endOfReserved = SecretPath.reservedPrefix + "~"

    /// Lists secrets in the store, without the reserved ones.
    /// - Throws: the store's errors; `invalid_argument` for a reserved prefix.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        guard !isReserved(query.prefix.text) else {
            throw SecretError(
                .invalidArgument, "\(query.prefix) is reserved for Postern's own records and cannot be listed.")
        }
        // Reserved keys are all below the root.
        guard query.prefix == .root else { return try await store.list(query, deadline: deadline) }

        var entries: [SecretList.Entry] = []
        var after = query.after
        while true {
            let page = try await store.list(
                ListQuery(recursive: query.recursive, after: after, limit: query.limit - entries.count),
                deadline: deadline)
            let visible = page.entries.filter { !isReserved($0.key) }
            entries += visible
            guard let next = page.next else { return SecretList(entries: entries, next: nil) }
            // Reserved keys stand together in the order of keys: after the first of them, skip to their end.
            let skips = visible.count < page.entries.count && precedesEnd(next)
            after = skips ? Self.endOfReserved : next
            if entries.count == query.limit { break }
        }
        return SecretList(entries: entries, next: try await more(query, after: after, deadline: deadline) ? after : nil)
    }

    /// Whether anything but reserved keys follows a full page, so that no page promises a next one in vain.
    private func more(_ query: ListQuery, after: String?, deadline: Deadline) async throws(SecretError) -> Bool {
        guard let after, precedesEnd(after) else { return true }
        let next = try await store.list(
            ListQuery(recursive: query.recursive, after: after, limit: 1), deadline: deadline)
        guard let first = next.entries.first else { return false }
        guard isReserved(first.key) else { return true }
        let beyond = try await store.list(
            ListQuery(recursive: query.recursive, after: Self.endOfReserved, limit: 1), deadline: deadline)
        return !beyond.entries.isEmpty
    }

    private func precedesEnd(_ key: String) -> Bool {
        key.utf8.lexicographicallyPrecedes(Self.endOfReserved.utf8)
    }

    private func isReserved(_ key: String) -> Bool {
        key.utf8.starts(with: SecretPath.reservedPrefix.utf8)
    }
}
