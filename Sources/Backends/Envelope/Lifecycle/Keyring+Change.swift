// Every change of a key record: read, change, write if nobody else did meanwhile, else again.

import PosternProtocol

extension Keyring {
    /// Changes a domain's record by compare-and-set, as often as it takes.
    /// - Parameter change: gives the record to be; nil, or the same, leaves it. Runs again after a lost race.
    /// - Returns: the record as it is then.
    /// - Throws: `not_found` if the domain has no record; what `change` throws; the store's errors.
    func change(
        _ domain: String, deadline: Deadline,
        _ change: (KeyringRecord) async throws(SecretError) -> KeyringRecord?
    ) async throws(SecretError) -> KeyringRecord {
        while true {
            let (record, version) = try await existing(domain, deadline: deadline)
            guard let changed = try await change(record), changed != record else { return record }
            do throws(SecretError) {
                _ = try await store.write(
                    try path(domain), changed.payload(), expecting: version, deadline: deadline)
                return changed
            } catch  where error.code == .conflict {
                try deadline.check("the key record of domain \(domain) was changed: other gateways came first")
                await Self.pause()
            }
        }
    }

    /// A domain's record, which must be there.
    func existing(
        _ domain: String, deadline: Deadline
    ) async throws(SecretError) -> (record: KeyringRecord, version: Int) {
        // What is no path has no record either, and the message for it is the better one.
        _ = try SecretPath(domain)
        guard !domain.contains("/"), let stored = try await stored(domain, deadline: deadline) else {
            throw SecretError(
                .notFound, "There is no domain \(domain) with a key; a domain is the first segment of a path.")
        }
        return stored
    }

    /// Gateways that lost a race come back at different times.
    private static func pause() async {
        // Cancelled means that the next check of the deadline says so.
        try? await Task.sleep(for: .milliseconds(Int.random(in: 1...20)))
    }

    /// Destroys the older versions of a domain's record that a versioning store keeps: they hold wraps that the
    /// current one has dropped.
    /// - Returns: how many were destroyed.
    @discardableResult
    func eraseOlderRecords(_ domain: String, deadline: Deadline) async throws(SecretError) -> Int {
        let path = try path(domain)
        let description = try await store.describe(path, deadline: deadline)
        let older = description.versions
            .filter { $0.number < description.currentVersion && $0.state != .destroyed }.map(\.number)
        guard !older.isEmpty else { return 0 }
        try await store.destroy(path, versions: older, deadline: deadline)
        return older.count
    }

    /// A page of domains that have a record, in the order of their records' paths.
    /// - Parameter cursor: what the page before gave; nil for the first.
    func domains(
        after cursor: String?, limit: Int, deadline: Deadline
    ) async throws(SecretError) -> (names: [String], cursors: [String], next: String?) {
        let long = try SecretPath.reserved("keyring-long")
        let short = try SecretPath.reserved("keyring")
        let isShort = cursor?.hasPrefix(short.text + "/") ?? false
        if !isShort {
            let page = try await store.list(
                ListQuery(prefix: PathPrefix(long), recursive: true, after: cursor, limit: limit), deadline: deadline)
            if !page.entries.isEmpty {
                var names: [String] = []
                for case .secret(let path) in page.entries {
                    let stored = try await store.read(path, version: nil, deadline: deadline)
                    names.append(try KeyringRecord.parse(stored.payload, domain: nil).domain)
                }
                return (names, page.entries.map(\.key), page.entries.last?.key)
            }
        }
        let page = try await store.list(
            ListQuery(prefix: PathPrefix(short), recursive: true, after: isShort ? cursor : nil, limit: limit),
            deadline: deadline)
        let keys = page.entries.map(\.key)
        return (keys.map { String($0.dropFirst(short.text.utf8.count + 1)) }, keys, page.next)
    }

    /// Goes over every domain, a page at a time.
    func forEachDomain(
        deadline: Deadline, _ body: (String) async throws(SecretError) -> Void
    ) async throws(SecretError) {
        var cursor: String?
        repeat {
            let page = try await domains(after: cursor, limit: 100, deadline: deadline)
            for name in page.names { try await body(name) }
            cursor = page.next
        } while cursor != nil
    }
}
