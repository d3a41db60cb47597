// Changes that have begun come to their end.

import PosternProtocol

extension VaultBackend {
    /// How long a change goes on once its caller has given up.
    private static let grace: Duration = .seconds(2)

    /// Makes a change in a task of its own, which a cancellation of the caller reaches only after a while: a request that was
    /// cut off could still be done by Vault behind the caller's back, and nobody could say whether it was.
    /// - Parameter change: makes the change; is bound by its deadline.
    func uninterrupted<Value: Sendable>(
        _ change: @escaping @Sendable () async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        let task = Task { () -> Result<Value, SecretError> in
            do throws(SecretError) {
                return .success(try await change())
            } catch {
                return .failure(error)
            }
        }
        return try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            Task {
                // Nobody cancels this task, so it cannot fail.
                try? await Task.sleep(for: Self.grace)
                task.cancel()
            }
        }.get()
    }
}
