// The stack that a gateway really runs: cache over envelope over a file, with its key in a file.

import BackendConformance
import Envelope
import Foundation
import LocalKey
import PosternCore
import PosternProtocol
import SQLiteDev
import Synchronization
import Testing

@Suite struct StackTests {
    /// A folder in memory: the contract is tried here, the disk in the store's own tests.
    private static func folder() throws -> String {
        let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let folder = "\(parent)/postern-stack-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return folder
    }

    private static func open(_ folder: String, _ clock: ManualClock, cached: Bool) async throws -> (
        SQLiteBackend, any SecretBackend
    ) {
        let store = try await SQLiteBackend.open(path: folder + "/secrets.sqlite", clock: clock)
        let key = try LocalFileKeyWrapper(path: folder + "/kek", createIfMissing: true)
        let envelope = try EnvelopeBackend(
            store: store, keyWrappers: [key], options: EnvelopeOptions(keyTimeout: .seconds(300)), clock: clock)
        var options = ReadCache.Options()
        options.fetchTimeout = .seconds(300)
        return (store, cached ? ReadCache(envelope, options: options, clock: clock) : envelope)
    }

    private static func harness(_ name: String, cached: Bool) -> BackendHarness {
        BackendHarness(name, scale: 5_000) { clock in
            let folder = try folder()
            let (store, stack) = try await open(folder, clock, cached: cached)
            let current = Mutex(store)
            return BackendHarness.Instance(
                stack,
                reopen: {
                    try await current.withLock { $0 }.close()
                    let (store, stack) = try await open(folder, clock, cached: cached)
                    current.withLock { $0 = store }
                    return stack
                },
                close: {
                    try await current.withLock { $0 }.close()
                    try FileManager.default.removeItem(atPath: folder)
                })
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `envelope over a file keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness("envelope(sqlite)", cached: false))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.checks)
    func `the whole stack keeps every promise of the contract`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness("cache(envelope(sqlite))", cached: true))
    }

    @Test(.timeLimit(.minutes(10)), arguments: BackendConformance.historyChecks)
    func `envelope over a file takes over histories`(check: ConformanceCheck) async throws {
        try await check.run(on: Self.harness("envelope(sqlite)", cached: false))
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `whatever fails below the cache, a secret is as before or as after`(seed: UInt64) async throws {
        try await BackendConformance.checkNothingIsHalfDone(on: .inMemory, seed: seed) { store in
            var options = ReadCache.Options()
            options.maximumStaleness = .zero
            return ReadCache(store, options: options)
        }
    }

    @Test func `no file of the stack holds what was stored`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let canary = "canary-\(UUID().uuidString)"
        let (store, stack) = try await Self.open(folder, ManualClock(), cached: true)
        let path = try SecretPath("llm/openai/api_key")
        for number in 0..<20 {
            _ = try await stack.write(
                path, Payload(value: SecretBytes("\(canary)-\(number)")), expecting: nil,
                deadline: .after(.seconds(300))
            )
        }
        #expect(try await stack.read(path, version: nil, deadline: .after(.seconds(300))).payload["value"] != nil)
        func look() throws {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let bytes = try Data(contentsOf: URL(filePath: folder + "/" + name))
                #expect(bytes.range(of: Data(canary.utf8)) == nil, "\(name)")
                #expect(bytes.range(of: Data(canary.utf8).base64EncodedData().prefix(40)) == nil, "\(name)")
            }
        }
        try look()
        try await store.close()
        try look()
    }
}
