import BackendConformance
import PosternProtocol
import Testing

@Suite struct SuitePassesTests {
    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks)
    func `the model keeps every promise`(check: ConformanceCheck) async throws {
        try await check.run(on: .inMemory)
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks)
    func `a slow backend keeps every promise`(check: ConformanceCheck) async throws {
        let harness = BackendHarness.inMemory.decorated("slow", scale: 1_000) { inner, _ in
            LatencyInjectingBackend(inner) { .microseconds(Int.random(in: 0...200)) }
        }
        try await check.run(on: harness)
    }

    @Test(.timeLimit(.minutes(5)), arguments: BackendConformance.checks)
    func `a fault injector that injects nothing keeps every promise`(check: ConformanceCheck) async throws {
        let harness = BackendHarness.inMemory.decorated("faulty", scale: 1_000) { inner, _ in
            FaultInjectingBackend(inner)
        }
        try await check.run(on: harness)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `whatever fails, the model is as before or as after`(seed: UInt64) async throws {
        try await BackendConformance.checkNothingIsHalfDone(on: .inMemory, seed: seed)
    }
}
