// Walks through folders of names, depth first and in the order of bytes, from any key on.

import PosternCoding
import PosternProtocol

/// The entries behind a key, one after the other. Folders are read as far as they are needed.
///
/// A folder's names come in the order of their bytes, those of folders with their slash: so to go into each folder where it
/// stands in its parent is to go through all paths in the order of their bytes.
struct FolderWalk {
    /// A folder on the way from the top to where the walk is.
    private struct Folder {
        /// Empty, or ending with a slash.
        let stem: String
        /// The last name that has been read, or that the walk begins behind.
        var after: String
        /// Names that have been read and not been visited, the next one last.
        var pending: [String] = []
        /// How many have been read.
        var count = 0
        /// Whether there are no more to read.
        var isRead = false
    }

    /// The most names to read at once where many had to be left out.
    private static let largestRead = 10_000

    private let mount: KVMount
    private let isRecursive: Bool
    private var folders: [Folder] = []

    init(_ mount: KVMount, _ query: ListQuery) {
        self.mount = mount
        isRecursive = query.recursive
        let stem = query.prefix.stem
        let after = query.after ?? ""
        guard let rest = Self.rest(of: after, below: stem) else {
            // All below the prefix comes either behind this key or before it.
            if !Self.precedes(stem, after) { folders = [Folder(stem: stem, after: "")] }
            return
        }
        descend(to: rest, in: stem)
    }

    /// The next entry, or nil behind the last.
    /// - Parameter wanted: how many entries the caller is going to ask for, at most.
    mutating func next(wanted: Int, deadline: Deadline) async throws(SecretError) -> SecretList.Entry? {
        while let last = folders.indices.last {
            guard let name = folders[last].pending.popLast() else {
                if folders[last].isRead {
                    folders.removeLast()
                } else {
                    try await read(last, wanted: wanted, deadline: deadline)
                }
                continue
            }
            let key = folders[last].stem + name
            // What is no path of ours was stored by others.
            guard let path = try? SecretPath.stored(name.hasSuffix("/") ? String(key.dropLast()) : key) else {
                continue
            }
            guard name.hasSuffix("/") else { return .secret(path) }
            guard isRecursive else { return .folder(PathPrefix(path)) }
            folders.append(Folder(stem: key, after: ""))
        }
        return nil
    }

    /// Puts the walk where it goes on behind a key: into the folders that the key lies in, each behind the next one.
    private mutating func descend(to key: Substring, in stem: String) {
        var (stem, rest) = (stem, key)
        while isRecursive, let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) {
            let next = stem + rest[..<slash]
            // Where the key goes on with what is no path, no folder can be of that name.
            guard (try? SecretPath.stored(next)) != nil else { break }
            folders.append(Folder(stem: stem, after: rest[..<slash] + "/"))
            stem = next + "/"
            rest = rest[rest.utf8.index(after: slash)...]
        }
        folders.append(Folder(stem: stem, after: String(rest)))
    }

    /// Reads more names of a folder.
    private mutating func read(_ index: Int, wanted: Int, deadline: Deadline) async throws(SecretError) {
        var folder = folders[index]
        // Where what was read was of no use, more is read at once, so that the number of reads stays small.
        let limit = min(max(wanted, folder.count), Self.largestRead)
        let answer = try await mount.ask(
            .list(mount.url(listing: folder.stem, after: folder.after, limit: limit)), deadline: deadline)
        var names: [String] = []
        if answer.isSuccess {
            try answer.readData { (json, name) throws(SecretError) in
                guard name == "keys", !json.null() else {
                    if name != "keys" { _ = try json.raw("A member") }
                    return
                }
                try json.array("keys") { (json) throws(SecretError) in names.append(try json.string("A key")) }
            }
        }
        // A server that cannot page answers with all names, each time: then only those further on count, and there are no
        // more than these.
        let further = names.filter { Self.precedes(folder.after, $0) }.sorted { Self.precedes($1, $0) }
        folder.isRead = names.count != limit || further.isEmpty
        folder.count += names.count
        if let end = further.first { folder.after = end }
        folder.pending = further
        folders[index] = folder
    }

    private static func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }

    /// What follows a stem in a key that begins with it.
    private static func rest(of key: String, below stem: String) -> Substring? {
        guard key.utf8.starts(with: stem.utf8) else { return nil }
        return key[key.utf8.index(key.startIndex, offsetBy: stem.utf8.count)...]
    }
}
