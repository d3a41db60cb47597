import BackendConformance
import Envelope
import Foundation
import LocalKey
import Migration
import PosternProtocol
import SQLiteDev
import Synchronization
import Testing

/// The backend in front of both stores keeps the contract that every backend keeps, in every phase.
@Suite struct ConformanceTests {
    private enum Phase: String { case idle, copying, cutOver }

    /// Over two files; encrypted under different keys where that is asked for.
    private static func harness(_ phase: Phase, encrypted: Bool = false) -> BackendHarness {
        BackendHarness("migrating(\(phase.rawValue))", scale: 2_000) { clock in
            let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
            let folder = "\(parent)/postern-migration-\(UUID().uuidString)"
            let files = Mutex<[SQLiteBackend]>([])
            let open: @Sendable () async throws -> (SQLiteBackend, SQLiteBackend, MigratingBackend) = {
                for file in files.withLock({ $0 }) { try await file.close() }
                let source = try await SQLiteBackend.open(path: folder + "/a/s.sqlite", clock: clock)
                let target = try await SQLiteBackend.open(path: folder + "/b/s.sqlite", clock: clock)
                files.withLock { $0 = [source, target] }
                let backend = MigratingBackend(
                    source: encrypted ? try envelope(source, folder + "/a/kek", clock) : source,
                    target: encrypted ? try envelope(target, folder + "/b/kek", clock) : target,
                    sourceRecords: MigrationRecords(store: source),
                    targetRecords: MigrationRecords(store: target), sourceName: "a",
                    timing: MigratingBackend.Timing(staleness: .seconds(1), changeLimit: .seconds(120)))
                return (source, target, backend)
            }
            let (source, target, backend) = try await open()
            if phase != .idle {
                let run = MigrationRun(
                    source: source, target: target, sourceRecords: MigrationRecords(store: source),
                    targetRecords: MigrationRecords(store: target), names: ("a", "b"), journal: Journal(),
                    options: MigrationRun.Options(isExclusive: true))
                #expect(try await run.run(cutsOver: phase == .cutOver).isGood)
            }
            return BackendHarness.Instance(
                backend, reopen: { try await open().2 },
                close: {
                    let stores = files.withLock { $0 }
                    // What was written while copying has arrived.
                    if phase == .copying, !encrypted, stores.count == 2 { try await expectSame(stores[0], stores[1]) }
                    for file in stores { try await file.close() }
                    try FileManager.default.removeItem(atPath: folder)
                })
        }
    }

    private static func envelope(
        _ store: SQLiteBackend, _ key: String, _ clock: ManualClock
    ) throws -> any HistoryTransferring {
        try EnvelopeBackend(
            store: store, keyWrappers: [LocalFileKeyWrapper(path: key, createIfMissing: true)],
            options: EnvelopeOptions(keyTimeout: .seconds(300)), clock: clock)
    }

    private static func expectSame(_ source: SQLiteBackend, _ target: SQLiteBackend) async throws {
        let run = MigrationRun(
            source: source, target: target, sourceRecords: MigrationRecords(store: source),
            targetRecords: MigrationRecords(store: target), names: ("a", "b"), journal: Journal(),
            options: MigrationRun.Options(isExclusive: true))
        // Marks, of changes whose callers gave up, may be left; what has none has arrived.
        let marks = try await source.list(
            ListQuery(prefix: PathPrefix(SecretPath.reserved("migration/marks"))), deadline: .patient)
        if marks.entries.isEmpty {
            let report = try await run.dryRun()
            #expect(report.copiedSecrets == 0 && report.removedSecrets == 0)
        }
        let report = try await run.run(cutsOver: true)
        #expect(report.isGood && report.phase == .cutOver, "\(report)")
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `it keeps the contract without a migration under way`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness(.idle))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `it keeps the contract while secrets are copied, and they all arrive`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness(.copying))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `it keeps the contract from one set of keys to another`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness(.copying, encrypted: true))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `it keeps the contract once it is cut over`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness(.cutOver))
    }
}
