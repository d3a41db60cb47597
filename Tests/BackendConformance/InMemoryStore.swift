// What the model backend keeps: secrets by path, and their paths in order for lists.

import PosternProtocol

/// One version; its data is gone once it is destroyed.
struct Version {
    let etag: ETag
    let createdAt: Timestamp
    var payload: Payload?
    var deletesAt: Timestamp?

    func state(at now: Timestamp) -> VersionInfo.State {
        if payload == nil { return .destroyed }
        if let deletesAt, deletesAt <= now { return .deleted }
        return .available
    }

    func info(number: Int, at now: Timestamp) -> VersionInfo {
        VersionInfo(number: number, etag: etag, createdAt: createdAt, state: state(at: now), deletesAt: deletesAt)
    }
}

/// One secret.
struct Secret {
    let createdAt: Timestamp
    var updatedAt: Timestamp
    var current = 0
    var metadata = SecretMetadata()
    var versions: [Int: Version] = [:]

    init(createdAt: Timestamp) {
        self.createdAt = createdAt
        self.updatedAt = createdAt
    }

    func description(_ path: SecretPath, at now: Timestamp) -> SecretDescription {
        SecretDescription(
            path: path, currentVersion: current, createdAt: createdAt, updatedAt: updatedAt, metadata: metadata,
            versions: versions.sorted { $0.key < $1.key }.map { $0.value.info(number: $0.key, at: now) })
    }
}

/// All secrets.
struct Store {
    private(set) var secrets: [SecretPath: Secret] = [:]
    /// The keys of `secrets` in byte order, so that a page can be found without sorting.
    private var order: [SecretPath] = []

    func secret(_ path: SecretPath) throws(SecretError) -> Secret {
        guard let secret = secrets[path] else { throw .notFound(path) }
        return secret
    }

    mutating func put(_ secret: Secret, at path: SecretPath) {
        if secrets.updateValue(secret, forKey: path) == nil {
            order.insert(path, at: position(after: path.text))
        }
    }

    mutating func remove(_ path: SecretPath) {
        secrets[path] = nil
        order.remove(at: position(after: path.text) - 1)
    }

    /// Changes some versions of a secret: all of them, or none if `body` throws or one is not there.
    mutating func change(
        _ path: SecretPath, _ numbers: [Int], _ body: (Int, inout Version) throws(SecretError) -> Void
    ) throws(SecretError) {
        var secret = try secret(path)
        for number in numbers where secret.versions[number] == nil { throw .notFound(path, version: number) }
        for number in numbers {
            guard var version = secret.versions[number] else { continue }
            try body(number, &version)
            secret.versions[number] = version
        }
        secrets[path] = secret
    }

    func list(_ query: ListQuery) throws(SecretError) -> SecretList {
        let stem = query.prefix.stem
        let after = query.after ?? ""
        var entries: [SecretList.Entry] = []
        var index = position(after: precedes(after, stem) ? stem : after)
        while index < order.count, query.prefix.contains(order[index]) {
            let path = order[index]
            let entry: SecretList.Entry
            let rest = path.text.utf8.dropFirst(stem.utf8.count)
            if !query.recursive, let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
                entry = .folder(PathPrefix(try SecretPath.stored(String(path.text[..<slash]))))
                // No byte of a path is as high as DEL: this is behind all that the folder holds.
                index = position(after: entry.key + "\u{7F}")
            } else {
                entry = .secret(path)
                index += 1
            }
            guard precedes(after, entry.key) else { continue }
            if entries.count == query.limit { return SecretList(entries: entries, next: entries.last?.key) }
            entries.append(entry)
        }
        return SecretList(entries: entries, next: nil)
    }

    /// Where the first path behind `text` is, by halving.
    private func position(after text: String) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if precedes(text, order[middle].text) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }
}
