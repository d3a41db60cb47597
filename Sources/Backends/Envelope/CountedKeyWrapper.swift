// How often key-encryption keys are used: an HSM's operations are few and dear, and a rate that grows is worth an alarm.

import PosternProtocol
import Synchronization

/// How often a key-encryption key was used since the start.
public struct KEKUse: Sendable, Equatable {
    /// What was asked of it.
    public enum Operation: String, Sendable, CaseIterable {
        /// A domain key was wrapped.
        case wrap
        /// A domain key was unwrapped.
        case unwrap
        /// It was asked whether it works, which for most homes of keys means using it.
        case health
    }

    /// The key's id.
    public let kek: String
    /// What was asked of it.
    public let operation: Operation
    /// How often it did it.
    public let successes: Int
    /// How often it did not.
    public let failures: Int
}

/// A key wrapper that counts what is asked of the one behind it.
final class CountedKeyWrapper: KeyWrapper {
    private struct Count {
        var successes = 0
        var failures = 0
    }

    private let inner: any KeyWrapper
    private let counts = Mutex<[KEKUse.Operation: Count]>([:])

    init(_ inner: any KeyWrapper) { self.inner = inner }

    var descriptor: KeyDescriptor { inner.descriptor }

    /// Each operation's counts.
    var uses: [KEKUse] {
        let counts = counts.withLock { $0 }
        return KEKUse.Operation.allCases.map { operation in
            let count = counts[operation] ?? Count()
            return KEKUse(
                kek: descriptor.id, operation: operation, successes: count.successes, failures: count.failures)
        }
    }

    func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        try await counted(.wrap) { () async throws(SecretError) in
            try await inner.wrap(key, associatedData: associatedData, deadline: deadline)
        }
    }

    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try await counted(.unwrap) { () async throws(SecretError) in
            try await inner.unwrap(blob, associatedData: associatedData, deadline: deadline)
        }
    }

    func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        try await inner.needsRewrap(blob, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth {
        let health = await inner.health(deadline: deadline)
        count(.health, ok: health.isReady)
        return health
    }

    private func counted<Value>(
        _ operation: KEKUse.Operation, _ use: () async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        do {
            let value = try await use()
            count(operation, ok: true)
            return value
        } catch {
            count(operation, ok: false)
            throw error
        }
    }

    private func count(_ operation: KEKUse.Operation, ok: Bool) {
        counts.withLock { counts in
            if ok {
                counts[operation, default: Count()].successes += 1
            } else {
                counts[operation, default: Count()].failures += 1
            }
        }
    }
}
