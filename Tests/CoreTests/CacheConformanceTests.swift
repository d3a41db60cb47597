import BackendConformance
import PosternCore
import PosternProtocol
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

@Suite struct CacheViewConformanceTests {
    private static let harness = BackendHarness.inMemory.decorated("view of a cache", scale: 5_000) { inner, clock in
        let store = GuardedBackend(inner)
        store.admit("token", as: .init("user"))
        store.restrictOwnAccess { _, _ in false }
        let cache = ReadCache(store, clock: clock)
        return try await cache.view(for: SecretBytes("token"), deadline: .after(.seconds(300))).backend
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks(for: harness))
    func `the cache's view for a credential keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
