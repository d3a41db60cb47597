// Two stores for a test, in files in memory, and what the tests do with them all the time.

import BackendConformance
import Foundation
import Migration
import PosternProtocol
import SQLiteDev
import Synchronization

/// A source and a target.
final class Stores: Sendable {
    let folder: String
    let source: SwitchedStore
    let target: SwitchedStore
    private let files: [SQLiteBackend]

    init() async throws {
        let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        folder = "\(parent)/postern-migration-\(UUID().uuidString)"
        let first = try await SQLiteBackend.open(path: folder + "/a/secrets.sqlite")
        let second = try await SQLiteBackend.open(path: folder + "/b/secrets.sqlite")
        files = [first, second]
        source = SwitchedStore(first)
        target = SwitchedStore(second)
    }

    /// Lends two stores and removes them.
    static func with<Value>(_ body: (Stores) async throws -> Value) async throws -> Value {
        let stores = try await Stores()
        let result: Result<Value, any Error>
        do { result = .success(try await body(stores)) } catch { result = .failure(error) }
        try await stores.close()
        return try result.get()
    }

    func close() async throws {
        for file in files { try await file.close() }
        try FileManager.default.removeItem(atPath: folder)
    }

    static let timing = MigratingBackend.Timing(
        staleness: .milliseconds(20), changeLimit: .milliseconds(300), copyLimit: .seconds(2))

    /// A gateway's view of the migration.
    func gateway(
        _ timing: MigratingBackend.Timing = Stores.timing, sourceName: String = "a"
    ) -> MigratingBackend {
        MigratingBackend(
            source: source, target: target, sourceRecords: MigrationRecords(store: source),
            targetRecords: MigrationRecords(store: target), sourceName: sourceName, timing: timing)
    }

    func run(
        _ options: MigrationRun.Options = MigrationRun.Options(timing: Stores.timing), journal: Journal = Journal()
    ) -> MigrationRun {
        MigrationRun(
            source: source, target: target, sourceRecords: MigrationRecords(store: source),
            targetRecords: MigrationRecords(store: target), names: ("a", "b"), journal: journal, options: options)
    }

    /// What differs between the two, secrets of both.
    func differences() async throws -> [String] {
        var differences: [String] = []
        for path in Set(try await names(source) + (try await names(target))).sorted() {
            let mine = try await Self.account(path, source)
            let theirs = try await Self.account(path, target)
            if mine != theirs { differences.append("\(path): \(theirs) instead of \(mine)") }
        }
        return differences
    }

    func names(_ store: any SecretBackend) async throws -> [SecretPath] {
        let list = try await store.list(ListQuery(recursive: true, limit: 1_000), deadline: .patient)
        return list.entries.compactMap { entry in
            if case .secret(let path) = entry, !path.isReserved { path } else { nil }
        }
    }

    private static func description(
        _ path: SecretPath, _ store: any SecretBackend
    ) async throws(SecretError) -> SecretDescription? {
        do {
            return try await store.describe(path, deadline: .patient)
        } catch  where error.code == .notFound {
            return nil
        }
    }

    /// All that there is of a secret, as text.
    static func account(_ path: SecretPath, _ store: any HistoryTransferring) async throws -> String {
        guard let described = try await description(path, store) else { return "nothing" }
        var parts = ["\(described.currentVersion) \(described.createdAt) \(described.metadata)"]
        for version in described.versions {
            var value = "-"
            if version.state != .destroyed {
                let payload = try await store.recall(path, version: version.number, deadline: .patient)
                value = payload.fields.map { field in
                    field.name + "=" + field.value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                }.joined(separator: ",")
            }
            let until = version.state == .destroyed ? nil : version.deletesAt
            parts.append(
                "\(version.number) \(version.state) \(version.createdAt) \(until.map { "\($0)" } ?? "") \(value)")
        }
        return parts.joined(separator: " | ")
    }
}

extension Deadline {
    static var patient: Deadline { .after(.seconds(120)) }
}

/// What a run puts on record; can be told to fail.
final class Journal: MigrationJournal {
    private struct State {
        var events: [String] = []
        var isFull = false
        var onEntering: (@Sendable (MigrationRecord.Phase) async -> Void)?
    }

    private let state = Mutex(State())

    var events: [String] { state.withLock { $0.events } }
    /// What to do when a phase is about to be entered.
    func onEntering(_ act: @escaping @Sendable (MigrationRecord.Phase) async -> Void) {
        state.withLock { $0.onEntering = act }
    }

    func fill() { state.withLock { $0.isFull = true } }

    func record(_ event: MigrationEvent) async throws(SecretError) {
        let isFull = state.withLock { state in
            switch event {
            case .begins: state.events.append("begins")
            case .changes(let path, let wanted):
                state.events.append("changes \(path)\(wanted == nil ? " to nothing" : "")")
            case .changed(let path, let versions, let error):
                state.events.append("changed \(path) \(versions)\(error.map { " \($0.code)" } ?? "")")
            case .enters(let phase, _): state.events.append("enters \(phase)")
            case .entered(let phase, _): state.events.append("entered \(phase)")
            case .ends: state.events.append("ends")
            }
            return state.isFull
        }
        if case .enters(let phase, _) = event, let act = state.withLock({ $0.onEntering }) { await act(phase) }
        if isFull { throw SecretError(.auditUnavailable, "The disk is full.") }
    }

    func show(_ progress: MigrationProgress) {}
}

/// A store that can be switched off.
final class SwitchedStore: HistoryTransferring {
    private struct State {
        var isOff = false
        var damaged: SecretPath?
        var hold: (@Sendable () async -> Void)?
    }

    let store: any HistoryTransferring
    private let state = Mutex(State())
    var name: String { store.name }

    init(_ store: any HistoryTransferring) { self.store = store }

    /// From now on the values of a secret cannot be recalled.
    func damage(_ path: SecretPath) { state.withLock { $0.damaged = path } }

    /// From now on writes of secrets wait for something in the store, whatever their deadlines.
    func hold(_ wait: (@Sendable () async -> Void)?) { state.withLock { $0.hold = wait } }

    func turn(off: Bool) { state.withLock { $0.isOff = off } }

    private func check() throws(SecretError) {
        if state.withLock({ $0.isOff }) { throw SecretError(.backendUnavailable, "Switched off.") }
    }

    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        try check()
        return try await store.read(path, version: version, deadline: deadline)
    }

    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try check()
        guard !path.isReserved, let wait = state.withLock({ $0.hold }) else {
            return try await store.write(path, payload, expecting: expecting, deadline: deadline)
        }
        await wait()
        return try await store.write(path, payload, expecting: expecting, deadline: .patient)
    }

    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try check()
        try await store.delete(path, versions: versions, deadline: deadline)
    }

    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try check()
        try await store.undelete(path, versions: versions, deadline: deadline)
    }

    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try check()
        try await store.destroy(path, versions: versions, deadline: deadline)
    }

    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try check()
        try await store.remove(path, deadline: deadline)
    }

    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try check()
        return try await store.list(query, deadline: deadline)
    }

    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try check()
        return try await store.describe(path, deadline: deadline)
    }

    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try check()
        return try await store.updateMetadata(path, change, deadline: deadline)
    }

    func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        StoreView(backend: store, identity: ["user": "somebody"])
    }

    func health(deadline: Deadline) async -> BackendHealth { await store.health(deadline: deadline) }

    func recall(_ path: SecretPath, version: Int, deadline: Deadline) async throws(SecretError) -> Payload {
        try check()
        if state.withLock({ $0.damaged }) == path { throw SecretError(.integrityFailure, "Damaged.") }
        return try await store.recall(path, version: version, deadline: deadline)
    }

    func restore(
        _ history: SecretDescription, onDivergence divergence: HistoryDivergence,
        payload: @Sendable (Int) async throws(SecretError) -> Payload, deadline: Deadline
    ) async throws(SecretError) -> [Int] {
        try check()
        return try await store.restore(history, onDivergence: divergence, payload: payload, deadline: deadline)
    }
}
