// How a test target gives the suite a backend to try.

public import PosternProtocol

/// Makes fresh, empty backends of one kind for the suite.
///
/// The instances of one harness may be in use at the same time: they share nothing, in storage neither.
/// A stack may keep records of its own under the reserved prefix; the suite does not look at them.
public struct BackendHarness: Sendable, CustomStringConvertible {
    /// One backend, and what can be done with it beyond the contract.
    public struct Instance: Sendable {
        let backend: any SecretBackend
        let reopen: (@Sendable () async throws -> any SecretBackend)?
        let close: @Sendable () async throws -> Void

        /// Describes a backend.
        /// - Parameters:
        ///   - backend: the backend, with nothing in it.
        ///   - reopen: closes it and opens its store again; nil if it keeps nothing.
        ///   - close: closes it, reopened or not, and removes what it left on disk.
        public init(
            _ backend: any SecretBackend, reopen: (@Sendable () async throws -> any SecretBackend)? = nil,
            close: @escaping @Sendable () async throws -> Void = {}
        ) {
            self.backend = backend
            self.reopen = reopen
            self.close = close
        }
    }

    /// What is tried, for reports.
    public let description: String
    /// Whether the backend tells time by the clock that it is given.
    public let supportsClock: Bool
    /// How many names the long lists have.
    public let scale: Int
    let make: @Sendable (ManualClock) async throws -> Instance

    /// Describes a kind of backend.
    /// - Parameters:
    ///   - description: what is tried, for reports.
    ///   - supportsClock: whether it tells time by the clock given to `make`. Where it does not, promises
    ///     about the passing of time are not checked.
    ///   - scale: how many names the long lists have.
    ///   - make: makes an instance that shares nothing with others. The suite closes it.
    public init(
        _ description: String, supportsClock: Bool = true, scale: Int = 100_000,
        make: @escaping @Sendable (ManualClock) async throws -> Instance
    ) {
        self.description = description
        self.supportsClock = supportsClock
        self.scale = scale
        self.make = make
    }

    /// The same kind of backend behind a decorator, or under a stack.
    /// - Parameters:
    ///   - name: what the decorator is, for reports.
    ///   - scale: how many names the long lists have; nil to leave it.
    ///   - decorate: puts the decorator in front of a backend; it is given the clock too.
    public func decorated(
        _ name: String, scale: Int? = nil,
        _ decorate: @escaping @Sendable (any SecretBackend, ManualClock) async throws -> any SecretBackend
    ) -> BackendHarness {
        BackendHarness("\(name)(\(description))", supportsClock: supportsClock, scale: scale ?? self.scale) { clock in
            let inner = try await make(clock)
            var reopen: (@Sendable () async throws -> any SecretBackend)?
            if let reopenInner = inner.reopen {
                reopen = { try await decorate(try await reopenInner(), clock) }
            }
            return Instance(try await decorate(inner.backend, clock), reopen: reopen, close: inner.close)
        }
    }

    /// The model itself.
    public static let inMemory = BackendHarness("memory") { clock in Instance(InMemoryBackend(clock: clock)) }
}
