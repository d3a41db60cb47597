// A job as it is stored: what it is, how far it is, and which gateway works on it until when.

import PosternCoding
import PosternProtocol
import Synchronization

/// Stored as JSON under `.postern/jobs/<id>`.
struct JobRecord: Codable, Equatable {
    /// Whose the job is. A gateway that is silent for longer has lost it.
    struct Lease: Codable, Equatable {
        var owner: String
        var expiresAt: Timestamp
    }

    var job: KeyJob
    /// The last item that was gone over; nil before the first.
    var cursor: String?
    var lease: Lease?
    /// Not to be gone on with before, after a failure.
    var notBefore: Timestamp?
}

/// Wakes whoever works on jobs, and remembers which are worked on here and which need no more looking at.
final class JobSignal: Sendable {
    private struct State {
        var ended: Set<String> = []
        var underWay: Set<String> = []
    }

    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let state = Mutex(State())

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func wake() { continuation.yield() }

    /// Of all jobs, those that are not known to have ended and that nobody here works on; the caller does now.
    func begin(of ids: [String]) -> [String] {
        state.withLock { state in
            state.ended.formIntersection(ids)
            let open = ids.filter { !state.ended.contains($0) && !state.underWay.contains($0) }
            state.underWay.formUnion(open)
            return open
        }
    }

    /// The caller works on a job no more.
    func stop(_ id: String, hasEnded: Bool) {
        state.withLock { state in
            state.underWay.remove(id)
            if hasEnded { state.ended.insert(id) }
        }
    }
}

/// Jobs in a store.
struct JobStore: Sendable {
    /// How many ended jobs are kept.
    private static let kept = 50

    let store: any SecretBackend

    static func path(_ id: String) throws(SecretError) -> SecretPath { try .reserved("jobs/\(id)") }

    func read(_ id: String, deadline: Deadline) async throws(SecretError) -> (value: JobRecord, version: Int)? {
        try await StoredJSON.read(JobRecord.self, Self.path(id), from: store, deadline: deadline)
    }

    /// Writes a job by compare-and-set.
    /// - Returns: its new version.
    func write(_ record: JobRecord, after version: Int, deadline: Deadline) async throws(SecretError) -> Int {
        try await StoredJSON.write(record, Self.path(record.job.id), after: version, to: store, deadline: deadline)
    }

    /// All jobs, oldest first.
    func all(deadline: Deadline) async throws(SecretError) -> [JobRecord] {
        var records: [JobRecord] = []
        for id in try await ids(deadline: deadline) {
            if let found = try await read(id, deadline: deadline) { records.append(found.value) }
        }
        return records
    }

    /// The ids of all jobs, oldest first: they sort by time.
    func ids(deadline: Deadline) async throws(SecretError) -> [String] {
        var ids: [String] = []
        let folder = try SecretPath.reserved("jobs")
        var cursor: String?
        repeat {
            let page = try await store.list(
                ListQuery(prefix: PathPrefix(folder), after: cursor, limit: 1_000), deadline: deadline)
            ids += page.entries.map { String($0.key.dropFirst(folder.text.utf8.count + 1)) }
            cursor = page.next
        } while cursor != nil
        return ids
    }

    /// Removes the oldest of the jobs that ended, past those that are kept.
    func prune(_ records: [JobRecord], deadline: Deadline) async throws(SecretError) {
        let ended = records.filter { $0.job.state != .running }
        for record in ended.dropLast(Self.kept) {
            do throws(SecretError) {
                try await store.remove(Self.path(record.job.id), deadline: deadline)
            } catch  where error.code == .notFound {
                // Another gateway was first.
            }
        }
    }
}
