// One piece of work on a thread of its own: when its caller stops waiting, and which function it is in.

import CP11Kit
import PosternProtocol
import Synchronization

/// What a thread is busy with.
final class CallTicket: Sendable {
    let deadline: Deadline
    private let current = Mutex<CryptokiFunction?>(nil)
    private let spoiled = Mutex(false)

    init(deadline: Deadline) {
        self.deadline = deadline
    }

    /// The function that has been called and has not returned.
    var function: CryptokiFunction? { current.withLock { $0 } }

    /// Whether the session that is in use must not be used again.
    var isSpoiled: Bool {
        get { spoiled.withLock { $0 } }
        set { spoiled.withLock { $0 = newValue } }
    }

    /// Whether the module keeps the thread although nobody waits for it any more.
    var isStuck: Bool { deadline.hasPassed && function != nil }

    /// Calls a function of the module.
    /// - Throws: what it answers, unless that is `CKR_OK`.
    func call(_ function: CryptokiFunction, _ body: () -> CK_RV) throws(PKCS11Error) {
        let value = ReturnValue(rawValue: watch(function, body))
        guard value == .ok else { throw PKCS11Error(function, value) }
    }

    /// Notes what the thread is in while it is.
    func watch<R>(_ function: CryptokiFunction, _ body: () -> R) -> R {
        current.withLock { $0 = function }
        defer { current.withLock { $0 = nil } }
        return body()
    }

    /// The error of a caller whose deadline passed before something was done.
    func late(_ what: String) -> SecretError {
        SecretError(.deadlineExceeded, "The deadline passed \(what).")
    }
}
