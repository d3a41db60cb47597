import BackendConformance
import PosternProtocol
import Testing

@Suite struct SuiteCatchesTests {
    @Test(.timeLimit(.minutes(2)), arguments: Defect.all)
    func `a broken backend does not pass`(defect: Defect) async throws {
        let harness = BackendHarness("\(defect)", scale: 1_000) { BackendHarness.Instance(defect.build($0)) }
        let failure = await #expect(throws: ConformanceFailure.self) { try await BackendConformance.run(on: harness) }
        // The failure says which backend broke which promise.
        #expect(failure?.description.hasPrefix("\(defect): ") == true)
    }

    @Test func `a stack that does half of its work is caught`() async throws {
        // Two calls of the store where there should be one: what fails between them is half done.
        await #expect(throws: ConformanceFailure.self) {
            try await BackendConformance.checkNothingIsHalfDone(on: .inMemory, seed: 1) { store in
                TwoStepBackend(inner: store)
            }
        }
    }

    @Test func `a failed random sequence prints its seed and its calls`() async throws {
        let harness = BackendHarness("destroys nothing") { clock in
            BackendHarness.Instance(
                AlteredBackend(inner: InMemoryBackend(clock: clock), destroy: { _, _, _ in }))
        }
        let failure = await #expect(throws: ConformanceFailure.self) {
            try await BackendConformance.crossCheck(seed: 42, operations: 700).run(on: harness)
        }
        #expect(failure?.description.contains("seed 42") == true)
        #expect(failure?.description.contains("after these calls:\n") == true)
    }
}

/// Deletes versions one after the other.
private struct TwoStepBackend: SecretBackend {
    let inner: any SecretBackend
    var name: String { inner.name }

    func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        if versions.isEmpty { return try await inner.delete(path, versions: [], deadline: deadline) }
        for version in versions { try await inner.delete(path, versions: [version], deadline: deadline) }
    }

    func read(_ path: SecretPath, version: Int?, deadline: Deadline) async throws(SecretError) -> SecretVersion {
        try await inner.read(path, version: version, deadline: deadline)
    }

    func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await inner.write(path, payload, expecting: expecting, deadline: deadline)
    }

    func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await inner.undelete(path, versions: versions, deadline: deadline)
    }

    func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await inner.destroy(path, versions: versions, deadline: deadline)
    }

    func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await inner.remove(path, deadline: deadline)
    }

    func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await inner.list(query, deadline: deadline)
    }

    func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await inner.describe(path, deadline: deadline)
    }

    func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await inner.updateMetadata(path, change, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth { await inner.health(deadline: deadline) }
}
