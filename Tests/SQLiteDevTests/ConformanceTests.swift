import BackendConformance
import PosternProtocol
import SQLiteDev
import Synchronization
import Testing

@Suite struct ConformanceTests {
    /// Fresh files in memory: the contract is tried here, the disk elsewhere.
    private static let harness = BackendHarness("sqlite") { clock in
        let folder = try TemporaryFolder(inMemory: true)
        let first = try await SQLiteBackend.open(path: folder.file(), clock: clock)
        let current = Mutex(first)
        return BackendHarness.Instance(
            first,
            reopen: {
                try await current.withLock { $0 }.close()
                let again = try await SQLiteBackend.open(path: folder.file(), clock: clock)
                current.withLock { $0 = again }
                return again
            },
            close: {
                try await current.withLock { $0 }.close()
                try folder.remove()
            })
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `it keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `whatever fails, a secret is as before or as after`(seed: UInt64) async throws {
        try await BackendConformance.checkNothingIsHalfDone(on: Self.harness, seed: seed, operations: 300)
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.historyChecks)
    func `it takes over histories`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
