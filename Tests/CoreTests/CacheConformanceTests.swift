import BackendConformance
import PosternCore
import Testing

@Suite struct CacheConformanceTests {
    private static let harness = BackendHarness.inMemory.decorated("cache", scale: 5_000) { inner, clock in
        ReadCache(inner, clock: clock)
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks(for: harness))
    func `the cache keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
