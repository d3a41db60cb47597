// The contract of `SecretBackend` as a list of checks, one for each promise.
//
//     @Test(arguments: BackendConformance.checks)
//     func `it keeps the contract`(check: ConformanceCheck) async throws {
//         try await check.run(on: harness)
//     }

/// The suite that every backend, and every stack of them, passes.
public enum BackendConformance {
    /// Every promise, each checked on a backend of its own.
    public static let checks: [ConformanceCheck] =
        versionChecks + payloadChecks + compareAndSetChecks + raceChecks + deletionChecks + lifetimeChecks
        + metadataChecks + listChecks + longListChecks + callChecks + persistenceChecks + crossChecks

    /// The checks that make sense for a backend: without those of a clock or a store that it does not have.
    /// - Parameter harness: makes the backend.
    public static func checks(for harness: BackendHarness) -> [ConformanceCheck] {
        checks.filter { $0.need != .clock || harness.supportsClock }
    }

    /// Runs every check that makes sense, one after the other.
    /// - Parameter harness: makes the backends.
    /// - Throws: ``ConformanceFailure`` at the first promise that is broken.
    public static func run(on harness: BackendHarness) async throws {
        for check in checks(for: harness) { try await check.run(on: harness) }
    }
}

/// One promise and how it is checked.
public struct ConformanceCheck: Sendable, CustomStringConvertible {
    /// The promise, as a sentence.
    public let description: String
    let need: Need
    private let body: @Sendable (Subject) async throws -> Void

    /// What a backend must have for the check to make sense.
    enum Need { case nothing, clock }

    init(_ promise: String, needs need: Need = .nothing, _ body: @escaping @Sendable (Subject) async throws -> Void) {
        self.description = promise
        self.need = need
        self.body = body
    }

    /// Checks the promise on a fresh backend.
    /// - Parameter harness: makes the backend.
    /// - Throws: ``ConformanceFailure`` if it is broken; what the harness throws.
    public func run(on harness: BackendHarness) async throws {
        let clock = ManualClock()
        let instance = try await harness.make(clock)
        let subject = Subject(
            backend: instance.backend, clock: clock, supportsClock: harness.supportsClock, scale: harness.scale,
            reopen: instance.reopen)
        do {
            try await body(subject)
        } catch {
            try await instance.close()
            throw ConformanceFailure("\(harness): \(description): \(error)")
        }
        try await instance.close()
    }
}

/// A promise that a backend broke.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// Which backend, which promise, and what was seen instead.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
