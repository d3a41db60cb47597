import Crypto
import Foundation
import PosternProtocol
import Synchronization

/// A key wrapper that counts, and fails or hangs when a test says so.
final class TestKeyWrapper: KeyWrapper {
    private struct State {
        var failure: SecretError?
        var wraps = 0
        var unwraps = 0
        var isHeld = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    let descriptor: KeyDescriptor
    private let key: SymmetricKey
    private let state = Mutex(State())

    init(_ id: String = "test:1", key: SymmetricKey = SymmetricKey(size: .bits256)) {
        self.descriptor = KeyDescriptor(id: id, algorithm: "AES-256-GCM", origin: "test")
        self.key = key
    }

    var wraps: Int { state.withLock(\.wraps) }
    var unwraps: Int { state.withLock(\.unwraps) }
    /// How many calls wait for ``release()``.
    var held: Int { state.withLock(\.held.count) }

    /// Makes every call fail; nil makes them work again.
    func fail(_ error: SecretError?) { state.withLock { $0.failure = error } }
    /// As an HSM that does not answer.
    func goDown() { fail(SecretError(.keyUnavailable, "\(descriptor.id) does not answer.")) }
    func comeBack() { fail(nil) }

    /// Makes every call wait for ``release()``.
    func hold() { state.withLock { $0.isHeld = true } }
    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for call in held { call.resume() }
    }

    func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        state.withLock { $0.wraps += 1 }
        try await enter()
        do {
            let box = try key.withUnsafeBytes { try AES.GCM.seal($0, using: self.key, authenticating: associatedData) }
            return Array(box.nonce) + box.ciphertext + box.tag
        } catch {
            throw SecretError(.internalError, "\(error)")
        }
    }

    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        state.withLock { $0.unwraps += 1 }
        try await enter()
        do {
            return SecretBytes(
                copying: try AES.GCM.open(
                    AES.GCM.SealedBox(combined: blob), using: key, authenticating: associatedData))
        } catch {
            throw SecretError(.integrityFailure, "\(descriptor.id) does not open it.")
        }
    }

    func health(deadline: Deadline) async -> BackendHealth {
        let failure = state.withLock(\.failure)
        return BackendHealth(isReady: failure == nil, detail: failure?.message ?? "ok")
    }

    private func enter() async throws(SecretError) {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHeld { state.held.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        if let failure = state.withLock(\.failure) { throw failure }
    }
}
