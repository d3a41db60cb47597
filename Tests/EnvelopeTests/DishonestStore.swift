import BackendConformance
import PosternProtocol
import Synchronization

/// A store whose administrator changes what it answers, while the versions stay as they are.
final class DishonestStore: SecretBackend {
    private struct State {
        var answers: [SecretPath: @Sendable (SecretVersion) throws(SecretError) -> SecretVersion] = [:]
        var reads: [SecretPath: Int] = [:]
        var misnumbering = 0
        var isReady = true
    }

    let name = "dishonest"
    let honest: InMemoryBackend
    private let state = Mutex(State())

    init(clock: any WallClock = SystemWallClock()) {
        honest = InMemoryBackend(clock: clock)
    }

    /// Changes every answer to reads of a path; nil makes the store honest again.
    func answer(
        _ path: SecretPath, _ change: (@Sendable (SecretVersion) throws(SecretError) -> SecretVersion)?
    ) {
        state.withLock { $0.answers[path] = change }
    }

    /// Changes the bytes of a path's only field in every answer.
    func change(_ path: SecretPath, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]) {
        answer(path) { (version) throws(SecretError) in
            let field = version.payload.fields[0]
            let changed = Payload.Field(
                name: field.name, value: SecretBytes(copying: change(field.value.withUnsafeBytes { Array($0) })))
            return version.with(try Payload([changed]))
        }
    }

    /// Makes writes answer with a number that is off by this much.
    func misnumber(by offset: Int) { state.withLock { $0.misnumbering = offset } }

    func setReady(_ isReady: Bool) { state.withLock { $0.isReady = isReady } }

    /// How often a path was read.
    func reads(_ path: SecretPath) -> Int { state.withLock { $0.reads[path] ?? 0 } }

    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        let change = state.withLock { state in
            state.reads[path, default: 0] += 1
            return state.answers[path]
        }
        let version = try await honest.read(path, version: version, deadline: deadline)
        return try change?(version) ?? version
    }

    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        let info = try await honest.write(path, payload, expecting: expecting, deadline: deadline)
        let offset = path.isReserved ? 0 : state.withLock(\.misnumbering)
        return VersionInfo(
            number: info.number + offset, etag: info.etag, createdAt: info.createdAt, state: info.state,
            deletesAt: info.deletesAt)
    }

    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await honest.delete(path, versions: versions, deadline: deadline)
    }

    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await honest.undelete(path, versions: versions, deadline: deadline)
    }

    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await honest.destroy(path, versions: versions, deadline: deadline)
    }

    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await honest.remove(path, deadline: deadline)
    }

    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await honest.list(query, deadline: deadline)
    }

    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await honest.describe(path, deadline: deadline)
    }

    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await honest.updateMetadata(path, change, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth {
        let isReady = state.withLock(\.isReady)
        return BackendHealth(isReady: isReady, detail: isReady ? "ok" : "down")
    }
}

extension SecretVersion {
    func with(_ payload: Payload) -> SecretVersion {
        SecretVersion(path: path, info: info, payload: payload, labels: labels, freshness: freshness)
    }
}
