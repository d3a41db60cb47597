// A model with one thing broken, to see whether the suite notices.

import BackendConformance
import PosternProtocol
import Synchronization

/// The model, except for what is given.
struct AlteredBackend: SecretBackend {
    let name = "altered"
    let inner: InMemoryBackend
    var write: (@Sendable (SecretPath, Payload, Int?, Deadline) async throws(SecretError) -> VersionInfo)?
    var delete: (@Sendable (SecretPath, [Int], Deadline) async throws(SecretError) -> Void)?
    var undelete: (@Sendable (SecretPath, [Int], Deadline) async throws(SecretError) -> Void)?
    var destroy: (@Sendable (SecretPath, [Int], Deadline) async throws(SecretError) -> Void)?
    var remove: (@Sendable (SecretPath, Deadline) async throws(SecretError) -> Void)?
    var list: (@Sendable (ListQuery, Deadline) async throws(SecretError) -> SecretList)?
    var read: (@Sendable (SecretPath, Int?, Deadline) async throws(SecretError) -> SecretVersion)?
    var update: (@Sendable (SecretPath, MetadataChange, Deadline) async throws(SecretError) -> SecretDescription)?

    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        if let read { return try await read(path, version, deadline) }
        return try await inner.read(path, version: version, deadline: deadline)
    }

    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        if let write { return try await write(path, payload, expecting, deadline) }
        return try await inner.write(path, payload, expecting: expecting, deadline: deadline)
    }

    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        if let delete { return try await delete(path, versions, deadline) }
        try await inner.delete(path, versions: versions, deadline: deadline)
    }

    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        if let undelete { return try await undelete(path, versions, deadline) }
        try await inner.undelete(path, versions: versions, deadline: deadline)
    }

    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        if let destroy { return try await destroy(path, versions, deadline) }
        try await inner.destroy(path, versions: versions, deadline: deadline)
    }

    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        if let remove { return try await remove(path, deadline) }
        try await inner.remove(path, deadline: deadline)
    }

    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        if let list { return try await list(query, deadline) }
        return try await inner.list(query, deadline: deadline)
    }

    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await inner.describe(path, deadline: deadline)
    }

    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        if let update { return try await update(path, change, deadline) }
        return try await inner.updateMetadata(path, change, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth { await inner.health(deadline: deadline) }
}

/// A way to break the model.
struct Defect: Sendable, CustomStringConvertible {
    let description: String
    let build: @Sendable (ManualClock) -> any SecretBackend

    init(_ description: String, _ build: @escaping @Sendable (InMemoryBackend) -> AlteredBackend) {
        self.description = description
        self.build = { build(InMemoryBackend(clock: $0)) }
    }

    init(_ description: String, etags: @escaping @Sendable () -> @Sendable () -> ETag) {
        self.description = description
        self.build = { InMemoryBackend(clock: $0, makeETag: etags()) }
    }

    /// Some mistakes that backends make.
    static let all = [
        Defect("compare-and-set checks first and writes later") { inner in
            AlteredBackend(
                inner: inner,
                write: { (path, payload, expecting, deadline) throws(SecretError) in
                    if let expecting {
                        let current = await current(of: path, in: inner, deadline)
                        guard current == expecting else {
                            throw .conflict(path, expected: expecting, current: current)
                        }
                        await Task.yield()
                    }
                    return try await inner.write(path, payload, expecting: nil, deadline: deadline)
                })
        },
        Defect("expecting 0 is taken for expecting nothing") { inner in
            AlteredBackend(
                inner: inner,
                write: { (path, payload, expecting, deadline) throws(SecretError) in
                    try await inner.write(
                        path, payload, expecting: expecting == 0 ? nil : expecting, deadline: deadline)
                })
        },
        Defect("a conflict does not say the current version") { inner in
            AlteredBackend(
                inner: inner,
                write: { (path, payload, expecting, deadline) throws(SecretError) in
                    do throws(SecretError) {
                        return try await inner.write(path, payload, expecting: expecting, deadline: deadline)
                    } catch {
                        throw SecretError(error.code, error.message)
                    }
                })
        },
        Defect("etags repeat", etags: { { ETag("same") } }),
        Defect("etags repeat after a while") {
            let count = Mutex(0)
            return { ETag("\(count.withLock { $0 += 1; return $0 % 20 })") }
        },
        Defect("fields are sorted by name") { inner in
            AlteredBackend(
                inner: inner,
                write: { (path, payload, expecting, deadline) throws(SecretError) in
                    try await inner.write(
                        path, Payload(payload.fields.sorted { $0.name < $1.name }), expecting: expecting,
                        deadline: deadline)
                })
        },
        Defect("values end at the first NUL") { inner in
            AlteredBackend(
                inner: inner,
                write: { (path, payload, expecting, deadline) throws(SecretError) in
                    let cut = payload.fields.map { field in
                        let bytes = field.value.withUnsafeBytes { Array($0.prefix { $0 != 0 }) }
                        return Payload.Field(name: field.name, value: SecretBytes(copying: bytes))
                    }
                    return try await inner.write(path, Payload(cut), expecting: expecting, deadline: deadline)
                })
        },
        Defect("versions before a missing one are deleted") { inner in
            AlteredBackend(
                inner: inner,
                delete: { (path, versions, deadline) throws(SecretError) in
                    if versions.isEmpty { try await inner.delete(path, versions: [], deadline: deadline) }
                    for version in versions { try await inner.delete(path, versions: [version], deadline: deadline) }
                })
        },
        Defect("undelete leaves destroyed versions out silently") { inner in
            AlteredBackend(
                inner: inner,
                undelete: { (path, versions, deadline) throws(SecretError) in
                    do throws(SecretError) {
                        try await inner.undelete(path, versions: versions, deadline: deadline)
                    } catch  where error.code == .versionDestroyed {
                        return
                    }
                })
        },
        Defect("destroy only deletes") { inner in
            AlteredBackend(
                inner: inner,
                destroy: { (path, versions, deadline) throws(SecretError) in
                    try await inner.delete(path, versions: versions, deadline: deadline)
                })
        },
        Defect("removal only destroys, so numbers go on") { inner in
            AlteredBackend(
                inner: inner,
                remove: { (path, deadline) throws(SecretError) in
                    let current = await current(of: path, in: inner, deadline)
                    try await inner.destroy(path, versions: [current], deadline: deadline)
                })
        },
        Defect("a list is not in order") { inner in
            AlteredBackend(
                inner: inner,
                list: { (query, deadline) throws(SecretError) in
                    let page = try await inner.list(query, deadline: deadline)
                    return SecretList(entries: page.entries.reversed(), next: page.next)
                })
        },
        Defect("a list is ordered as people order names") { inner in
            AlteredBackend(
                inner: inner,
                list: { (query, deadline) throws(SecretError) in
                    let page = try await inner.list(query, deadline: deadline)
                    return SecretList(
                        entries: page.entries.sorted { $0.key.lowercased() < $1.key.lowercased() }, next: page.next)
                })
        },
        Defect("the last page says that there is more") { inner in
            AlteredBackend(
                inner: inner,
                list: { (query, deadline) throws(SecretError) in
                    let page = try await inner.list(query, deadline: deadline)
                    let full = page.entries.count == query.limit
                    return SecretList(entries: page.entries, next: full ? page.entries.last?.key : nil)
                })
        },
        Defect("a name that is both secret and folder is listed once") { inner in
            AlteredBackend(
                inner: inner,
                list: { (query, deadline) throws(SecretError) in
                    let page = try await inner.list(query, deadline: deadline)
                    let secrets = Set(page.entries.map(\.key))
                    return SecretList(
                        entries: page.entries.filter { !secrets.contains(String($0.key.dropLast())) }, next: page.next)
                })
        },
        Defect("deadlines are ignored") { inner in
            AlteredBackend(
                inner: inner,
                read: { (path, version, _) throws(SecretError) in
                    try await inner.read(path, version: version, deadline: .after(.seconds(1)))
                })
        },
        Defect("cancellation is ignored") { inner in
            AlteredBackend(
                inner: inner,
                remove: { (path, deadline) throws(SecretError) in
                    let task = Task { () async -> SecretError? in
                        do throws(SecretError) {
                            try await inner.remove(path, deadline: deadline)
                            return nil
                        } catch {
                            return error
                        }
                    }
                    if let error = await task.value { throw error }
                })
        },
        Defect("a metadata change replaces all labels") { inner in
            AlteredBackend(
                inner: inner,
                update: { (path, change, deadline) throws(SecretError) in
                    var change = change
                    let labels = try await inner.describe(path, deadline: deadline).metadata.labels
                    for name in labels.keys where change.labels[name] == nil { change.labels[name] = .some(nil) }
                    return try await inner.updateMetadata(path, change, deadline: deadline)
                })
        },
        Defect("reading without a number skips deleted versions") { inner in
            AlteredBackend(
                inner: inner,
                read: { (path, version, deadline) throws(SecretError) in
                    do throws(SecretError) {
                        return try await inner.read(path, version: version, deadline: deadline)
                    } catch  where error.code == .versionDeleted && version == nil {
                        let versions = try await inner.describe(path, deadline: deadline).versions
                        let readable = versions.last { $0.state == .available }
                        return try await inner.read(path, version: readable?.number, deadline: deadline)
                    }
                })
        },
    ]

    private static func current(of path: SecretPath, in backend: InMemoryBackend, _ deadline: Deadline) async -> Int {
        (try? await backend.describe(path, deadline: deadline))?.currentVersion ?? 0
    }
}
