// Lists.

public import PosternProtocol

extension VaultBackend {
    /// Lists secrets below a prefix, a page at a time. The cost of a page is that of the folders it touches, on servers that
    /// can page (OpenBao); HashiCorp Vault answers with the whole of each folder.
    ///
    /// Names that are no secret path, which only others can have stored, are left out.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try deadline.check("listing below \"\(query.prefix)\"")
        var walk = FolderWalk(mount, query)
        var entries: [SecretList.Entry] = []
        while entries.count <= query.limit,
            let entry = try await walk.next(wanted: query.limit + 1 - entries.count, deadline: deadline)
        {
            entries.append(entry)
        }
        let page = Array(entries.prefix(query.limit))
        return SecretList(entries: page, next: entries.count > page.count ? page.last?.key : nil)
    }
}
