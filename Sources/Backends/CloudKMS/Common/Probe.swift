// Whether a key can be used now: by using it.

import Crypto
import PosternProtocol

extension KeyWrapper {
    /// Wraps and unwraps a random key.
    /// - Parameter trouble: what a person should know even if that works; asked for afterwards.
    func probe(deadline: Deadline, trouble: () -> String?) async -> BackendHealth {
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes(copying: $0) }
        let binding = Array("postern-health".utf8)
        do throws(SecretError) {
            let blob = try await wrap(key, associatedData: binding, deadline: deadline)
            guard try await unwrap(blob, associatedData: binding, deadline: deadline) == key else {
                return BackendHealth(isReady: false, detail: "a wrapped key came back different")
            }
            let detail = trouble().map { "ok for now, but what proves who calls cannot be renewed: \($0)" } ?? "ok"
            return BackendHealth(isReady: true, detail: detail)
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }
}
