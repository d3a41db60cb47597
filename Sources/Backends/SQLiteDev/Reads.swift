// Reading, describing and listing.

import GRDB
public import PosternProtocol

extension SQLiteBackend {
    /// Reads a version with its payload.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        let clock = clock
        return try await reading("reading \(path)", deadline) { db in
            let secret = try SecretRow.need(path, in: db)
            let info = try secret.version(version ?? secret.current, at: clock.now(), in: db)
            switch info.state {
            case .available: break
            case .deleted: throw SecretError.versionDeleted(path, version: info.number)
            case .destroyed: throw SecretError.versionDestroyed(path, version: info.number)
            }
            return SecretVersion(
                path: path, info: info, payload: try secret.payload(info.number, in: db), labels: secret.metadata.labels
            )
        }
    }

    /// Describes a secret and its versions.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        let clock = clock
        return try await reading("describing \(path)", deadline) { db in
            try SecretRow.need(path, in: db).description(at: clock.now(), in: db)
        }
    }

    /// Lists secrets below a prefix, a page at a time.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await reading("listing below \"\(query.prefix)\"", deadline) { db in
            var entries = Entries(query)
            while entries.list.count <= query.limit, try entries.takeNext(from: db) {}
            let page = Array(entries.list.prefix(query.limit))
            return SecretList(entries: page, next: entries.list.count > page.count ? page.last?.key : nil)
        }
    }
}

/// Collects the entries of a page: one search in the index of paths for each, which jumps over what folders hold.
private struct Entries {
    /// No byte of a path is as high as this one: a key with it is behind all that starts with the key.
    private static let last = "\u{7F}"

    let query: ListQuery
    private(set) var list: [SecretList.Entry] = []
    /// What is found next comes behind this text.
    private var position: String

    init(_ query: ListQuery) {
        self.query = query
        let after = query.after ?? ""
        let stem = query.prefix.stem
        self.position = stem.utf8.lexicographicallyPrecedes(after.utf8) ? after : stem
    }

    /// Finds the next entry.
    /// - Returns: false if there is none.
    mutating func takeNext(from db: Database) throws -> Bool {
        let stem = query.prefix.stem
        let statement = try db.cachedStatement(
            sql: "SELECT path FROM secret WHERE path > ? AND path < ? ORDER BY path LIMIT 1")
        guard let text = try String.fetchOne(statement, arguments: [position, stem + Self.last]) else { return false }
        let rest = text.utf8.dropFirst(stem.utf8.count)
        guard !query.recursive, let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
            list.append(.secret(try stored(text)))
            position = text
            return true
        }
        let folder = SecretList.Entry.folder(PathPrefix(try stored(String(text[..<slash]))))
        // A page may start in the middle of a folder, whose own key is then behind us.
        if (query.after ?? "").utf8.lexicographicallyPrecedes(folder.key.utf8) { list.append(folder) }
        position = folder.key + Self.last
        return true
    }

    private func stored(_ text: String) throws -> SecretPath {
        do {
            return try SecretPath.stored(text)
        } catch {
            throw SecretError(.integrityFailure, "The secrets file holds a name that is no path: \(error.message)")
        }
    }
}
