// The model of a backend: as simple as the contract allows, so that its correctness can be seen by reading.
// The cross-test compares every other backend with it; other tests use it as their store.

public import PosternProtocol
import Synchronization

/// A complete secret backend that keeps everything in memory, under one lock.
public final class InMemoryBackend: SecretBackend {
    /// The name in logs: `memory`.
    public let name = "memory"

    private let clock: any WallClock
    private let makeETag: @Sendable () -> ETag
    private let store = Mutex(Store())

    /// Makes an empty backend.
    /// - Parameters:
    ///   - clock: tells when versions are written and when they expire.
    ///   - makeETag: gives a new etag at each call; random by default.
    public init(
        clock: any WallClock = SystemWallClock(), makeETag: @escaping @Sendable () -> ETag = InMemoryBackend.randomETag
    ) {
        self.clock = clock
        self.makeETag = makeETag
    }

    /// An etag of 128 random bits, in hexadecimal digits.
    @Sendable public static func randomETag() -> ETag {
        let number = UInt128.random(in: 0...UInt128.max)
        let digits = String(number, radix: 16)
        return ETag(String(repeating: "0", count: 32 - digits.count) + digits)
    }

    /// Reads a version with its payload.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try deadline.check("reading \(path)")
        let now = clock.now()
        return try store.withLock { (store) throws(SecretError) in
            let secret = try store.secret(path)
            let number = version ?? secret.current
            guard let found = secret.versions[number] else { throw .notFound(path, version: number) }
            switch found.state(at: now) {
            case .deleted: throw .versionDeleted(path, version: number)
            case .destroyed: throw .versionDestroyed(path, version: number)
            case .available: break
            }
            guard let payload = found.payload else {
                throw SecretError(.internalError, "Version \(number) of \(path) is available but has no payload.")
            }
            return SecretVersion(
                path: path, info: found.info(number: number, at: now), payload: payload, labels: secret.metadata.labels)
        }
    }

    /// Writes a new version, and creates the secret with its first.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try deadline.check("writing \(path)")
        let now = clock.now()
        let etag = makeETag()
        return try store.withLock { (store) throws(SecretError) in
            var secret = store.secrets[path] ?? Secret(createdAt: now)
            if let expecting, expecting != secret.current {
                throw .conflict(path, expected: expecting, current: secret.current)
            }
            if expecting == nil, secret.metadata.casRequired {
                throw SecretError(.invalidArgument, "\(path) requires that a write says which version it expects.")
            }
            secret.current += 1
            secret.updatedAt = now
            let life = secret.metadata.deleteVersionAfterSeconds
            let version = Version(
                etag: etag, createdAt: now, payload: payload,
                deletesAt: life == 0 ? nil : now.advanced(by: .seconds(life)))
            secret.versions[secret.current] = version
            let oldestKept = secret.current - secret.metadata.keptVersions + 1
            secret.versions = secret.versions.filter { $0.key >= oldestKept }
            store.put(secret, at: path)
            return version.info(number: secret.current, at: now)
        }
    }

    /// Soft-deletes versions.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("deleting versions of \(path)")
        let now = clock.now()
        try store.withLock { (store) throws(SecretError) in
            let chosen = versions.isEmpty ? [try store.secret(path).current] : versions
            try store.change(path, chosen) { (_, version) throws(SecretError) in
                if version.state(at: now) == .available { version.deletesAt = now }
            }
        }
    }

    /// Makes soft-deleted versions readable again.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("undeleting versions of \(path)")
        try Self.needSome(versions)
        let now = clock.now()
        try store.withLock { (store) throws(SecretError) in
            try store.change(path, versions) { (number, version) throws(SecretError) in
                switch version.state(at: now) {
                case .available: break
                case .deleted: version.deletesAt = nil
                case .destroyed: throw .versionDestroyed(path, version: number)
                }
            }
        }
    }

    /// Removes the data of versions for good.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("destroying versions of \(path)")
        try Self.needSome(versions)
        try store.withLock { (store) throws(SecretError) in
            try store.change(path, versions) { (_, version) throws(SecretError) in version.payload = nil }
        }
    }

    /// Removes a secret with all its versions and metadata.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try deadline.check("removing \(path)")
        try store.withLock { (store) throws(SecretError) in
            _ = try store.secret(path)
            store.remove(path)
        }
    }

    /// Lists secrets below a prefix, a page at a time.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try deadline.check("listing below \"\(query.prefix)\"")
        return try store.withLock { (store) throws(SecretError) in try store.list(query) }
    }

    /// Describes a secret and its versions.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try deadline.check("describing \(path)")
        let now = clock.now()
        return try store.withLock { (store) throws(SecretError) in try store.secret(path).description(path, at: now) }
    }

    /// Changes a secret's settings and labels.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try deadline.check("changing the metadata of \(path)")
        let now = clock.now()
        return try store.withLock { (store) throws(SecretError) in
            var secret = try store.secret(path)
            secret.metadata = try change.applied(to: secret.metadata)
            secret.updatedAt = now
            store.put(secret, at: path)
            return secret.description(path, at: now)
        }
    }

    /// Always ready.
    public func health(deadline: Deadline) async -> BackendHealth {
        BackendHealth(isReady: true, detail: "ok")
    }

    private static func needSome(_ versions: [Int]) throws(SecretError) {
        guard !versions.isEmpty else { throw SecretError(.invalidArgument, "Say which versions; none was given.") }
    }
}
