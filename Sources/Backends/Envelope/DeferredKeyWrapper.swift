// A key-encryption key whose home may be away when the gateway starts: opened when it is there.

import PosternConcurrency
public import PosternProtocol
import Synchronization

/// A key wrapper that is opened when it is first needed, and again after that failed.
///
/// While it cannot be opened, it is asked for at most once in a while; calls meanwhile fail at once with the last reason.
public final class DeferredKeyWrapper: KeyWrapper {
    private struct State {
        var opened: (any KeyWrapper)?
        var opening: SharedResult<any KeyWrapper>?
        var failure: (error: SecretError, at: ContinuousClock.Instant)?
    }

    /// How long after a failure nobody tries again.
    private static let retryInterval: Duration = .seconds(1)
    /// How long opening may take, whoever waits for it.
    private static let openTimeout: Duration = .seconds(10)

    private let unopened: KeyDescriptor
    private let open: @Sendable (Deadline) async throws(SecretError) -> any KeyWrapper
    private let state = Mutex(State())

    /// Makes a wrapper that is not opened yet.
    /// - Parameters:
    ///   - id: the id that the opened wrapper will have.
    ///   - origin: where the key lives.
    ///   - open: opens it.
    public init(
        id: String, origin: String, open: @escaping @Sendable (Deadline) async throws(SecretError) -> any KeyWrapper
    ) {
        unopened = KeyDescriptor(id: id, algorithm: "not known until the key was reached", origin: origin)
        self.open = open
    }

    /// The opened key's; before that the id and the origin are known.
    public var descriptor: KeyDescriptor { state.withLock { $0.opened?.descriptor } ?? unopened }

    /// Opens it now, if it can be.
    /// - Throws: why it cannot.
    public func prepare(deadline: Deadline) async throws(SecretError) {
        _ = try await wrapper(deadline: deadline)
    }

    /// Wraps, once it is open.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try await wrapper(deadline: deadline).wrap(key, associatedData: associatedData, deadline: deadline)
    }

    /// Unwraps, once it is open.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try await wrapper(deadline: deadline).unwrap(blob, associatedData: associatedData, deadline: deadline)
    }

    /// What the opened key says.
    public func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        try await wrapper(deadline: deadline).needsRewrap(blob, deadline: deadline)
    }

    /// The opened key's health, or why it cannot be opened.
    public func health(deadline: Deadline) async -> BackendHealth {
        do throws(SecretError) {
            return await (try wrapper(deadline: deadline)).health(deadline: deadline)
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }

    private enum Step {
        case use(any KeyWrapper)
        case wait(SharedResult<any KeyWrapper>, isNew: Bool)
        case fail(SecretError)
    }

    private func wrapper(deadline: Deadline) async throws(SecretError) -> any KeyWrapper {
        try deadline.check("the key \(unopened.id) was used")
        let now = ContinuousClock.now
        let step = state.withLock { state -> Step in
            if let opened = state.opened { return .use(opened) }
            if let opening = state.opening { return .wait(opening, isNew: false) }
            if let failure = state.failure, failure.at.duration(to: now) < Self.retryInterval {
                return .fail(failure.error)
            }
            let opening = SharedResult<any KeyWrapper>()
            state.opening = opening
            return .wait(opening, isNew: true)
        }
        switch step {
        case .use(let opened): return opened
        case .fail(let error): throw error
        case .wait(let opening, let isNew):
            if isNew { Task { await self.run(opening) } }
            return try await opening.value(deadline: deadline, what: "the key \(unopened.id)")
        }
    }

    private func run(_ opening: SharedResult<any KeyWrapper>) async {
        let result: Result<any KeyWrapper, SecretError>
        do throws(SecretError) {
            let opened = try await open(.after(Self.openTimeout))
            guard opened.descriptor.id == unopened.id else {
                throw SecretError(
                    .keyUnavailable, "The key \(unopened.id) turned out to be \(opened.descriptor.id); name that one.")
            }
            result = .success(opened)
        } catch {
            result = .failure(error)
        }
        state.withLock { state in
            state.opening = nil
            switch result {
            case .success(let opened): state.opened = opened
            case .failure(let error): state.failure = (error, .now)
            }
        }
        opening.complete(result)
    }
}
