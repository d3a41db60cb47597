// The contract of `KeyWrapper` as a list of checks, one for each promise.
//
//     @Test(arguments: KeyWrapperConformance.checks)
//     func `it keeps the contract`(check: KeyWrapperCheck) async throws {
//         try await check.run(on: harness)
//     }

public import PosternProtocol

/// The suite that every key wrapper passes.
public enum KeyWrapperConformance {
    /// Every promise, each checked on wrappers of its own.
    public static let checks: [KeyWrapperCheck] = roundTripChecks + tamperChecks + callChecks
}

/// How a test target gives the suite wrappers to try.
public struct KeyWrapperHarness: Sendable, CustomStringConvertible {
    /// Wrappers, and what can be done with them beyond the contract.
    public struct Instance: Sendable {
        let wrapper: any KeyWrapper
        let foreign: any KeyWrapper
        let reopen: @Sendable () async throws -> any KeyWrapper
        let close: @Sendable () async throws -> Void

        /// Describes wrappers.
        /// - Parameters:
        ///   - wrapper: the wrapper to try.
        ///   - foreign: one of the same kind under another key.
        ///   - reopen: makes one more under the key of the first, as after a restart.
        ///   - close: closes what was made.
        public init(
            _ wrapper: any KeyWrapper, foreign: any KeyWrapper,
            reopen: @escaping @Sendable () async throws -> any KeyWrapper,
            close: @escaping @Sendable () async throws -> Void = {}
        ) {
            self.wrapper = wrapper
            self.foreign = foreign
            self.reopen = reopen
            self.close = close
        }
    }

    /// What is tried, for reports.
    public let description: String
    let make: @Sendable () async throws -> Instance

    /// Describes a kind of wrapper.
    /// - Parameters:
    ///   - description: what is tried, for reports.
    ///   - make: makes wrappers that are ready. The suite closes them.
    public init(_ description: String, make: @escaping @Sendable () async throws -> Instance) {
        self.description = description
        self.make = make
    }
}

/// One promise and how it is checked.
public struct KeyWrapperCheck: Sendable, CustomStringConvertible {
    /// The promise, as a sentence.
    public let description: String
    private let body: @Sendable (KeyWrapperHarness.Instance) async throws -> Void

    init(_ promise: String, _ body: @escaping @Sendable (KeyWrapperHarness.Instance) async throws -> Void) {
        self.description = promise
        self.body = body
    }

    /// Checks the promise.
    /// - Parameter harness: makes the wrappers.
    /// - Throws: ``KeyWrapperFailure`` if it is broken; what the harness throws.
    public func run(on harness: KeyWrapperHarness) async throws {
        let instance = try await harness.make()
        do {
            try await body(instance)
        } catch {
            try await instance.close()
            throw KeyWrapperFailure("\(harness): \(description): \(error)")
        }
        try await instance.close()
    }
}

/// A promise that a wrapper broke.
public struct KeyWrapperFailure: Error, CustomStringConvertible {
    /// Which wrapper, which promise, and what was seen instead.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Generous, since machines are slow and busy.
var soon: Deadline { .after(.seconds(240)) }

/// A key of some length that no other check uses.
func sampleKey(_ length: Int, seed: UInt8 = 7) -> SecretBytes {
    SecretBytes(copying: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(seed)) })
}

func expect(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
    guard condition else { throw KeyWrapperFailure(otherwise()) }
}

/// Expects an error with one of some codes.
func expectError(
    _ codes: SecretError.Code..., from what: String, _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as SecretError {
        try expect(codes.contains(error.code), "\(what) gave \(error), not \(codes.map(\.rawValue))")
        return
    }
    throw KeyWrapperFailure("\(what) succeeded, instead of failing with \(codes.map(\.rawValue))")
}
