// A credential as a method uses it: read when it is needed, and watched where it is a file.

import PosternProtocol
import Synchronization

/// A ``VaultCredential`` with its name, and what is known of its file.
final class Credential: Sendable {
    private struct Watch {
        /// What the file was when it was last read, or last seen to have changed.
        var seen: CredentialFile.Stamp?
        var lookedAt: ContinuousClock.Instant?
    }

    /// What it is and where from, for messages.
    let description: String
    private let source: VaultCredential
    private let watch = Mutex(Watch())

    init(_ source: VaultCredential, _ what: String) {
        self.source = source
        switch source {
        case .value: description = what
        case .file(let path): description = "\(what) in \(path)"
        }
    }

    /// The file that it is in.
    var file: String? {
        if case .file(let path) = source { path } else { nil }
    }

    /// Reads it.
    /// - Throws: a refusal: nothing will help but to put it there.
    func read() throws(LoginFailure) -> SecretBytes {
        let bytes: SecretBytes
        switch source {
        case .value(let value): bytes = value
        case .file(let path):
            let stamp: CredentialFile.Stamp
            do throws(SecretError) {
                (bytes, stamp) = try CredentialFile.read(path)
            } catch {
                // That it is gone is known now: what is news is that it is there again.
                watch.withLock { $0.seen = nil }
                throw .refused("\(description) cannot be read: \(error.message)")
            }
            watch.withLock { $0.seen = stamp }
        }
        guard bytes.count > 0 else { throw .refused("\(description) is empty.") }
        return bytes
    }

    /// Reads it where it goes into a header, which it must not break out of.
    /// - Throws: a refusal.
    func readToken() throws(LoginFailure) -> SecretBytes {
        let token = try read()
        guard token.withUnsafeBytes({ $0.allSatisfy { (0x21...0x7E).contains($0) } }) else {
            throw .refused("\(description) is no token: it has spaces or bytes that no token has.")
        }
        return token
    }

    /// Whether the file is another than the one last read. Each change is told once.
    /// - Parameters:
    ///   - now: the time.
    ///   - interval: how long after one look the next is due.
    func hasChanged(at now: ContinuousClock.Instant, interval: Duration) -> Bool {
        guard case .file(let path) = source else { return false }
        return watch.withLock { watch in
            if let lookedAt = watch.lookedAt, now - lookedAt < interval { return false }
            watch.lookedAt = now
            let stamp = CredentialFile.stamp(path)
            guard stamp != watch.seen else { return false }
            watch.seen = stamp
            return true
        }
    }
}
