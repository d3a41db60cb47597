// A server's TLS context that can be reloaded from its files while connections go on.

public import NIOSSL
public import PosternProtocol
import Synchronization

/// The TLS context that new connections use now, and how to replace it.
public final class ReloadingTLSContext: Sendable {
    /// Where the context comes from.
    public let files: TLSFiles
    private let clock: any WallClock
    private let loaded: Mutex<LoadedTLSContext>

    /// Loads the files.
    /// - Parameters:
    ///   - files: the files and rules.
    ///   - clock: tells the time that expiry is judged at.
    /// - Throws: `invalid_argument` naming the file and what is wrong with it.
    public init(files: TLSFiles, clock: any WallClock = SystemWallClock()) throws(SecretError) {
        self.files = files
        self.clock = clock
        loaded = Mutex(try LoadedTLSContext(files: files, now: clock.now()))
    }

    /// The context for new connections. Connections that are open keep the one they began with.
    public var current: NIOSSLContext { loaded.withLock { $0.context } }

    /// When the server certificate now in use expires.
    public var certificateNotAfter: Timestamp { loaded.withLock { $0.notAfter } }

    /// SHA-256 of the server certificate now in use, in lower-case hex.
    public var certificateFingerprint: String { loaded.withLock { $0.fingerprint } }

    /// The client CAs now in use; nil where clients need no certificate.
    public var clientAuthorities: ClientAuthorities? { loaded.withLock { $0.clientAuthorities } }

    /// Asks a key that is elsewhere whether it belongs to the certificate now in use. Done once when a server starts; a
    /// key that is away then is asked at the first handshake that it answers.
    /// - Throws: `invalid_argument` if it does not; `key_unavailable`, `deadline_exceeded`, `cancelled` if it does not answer.
    public func proveKey(deadline: Deadline) async throws(SecretError) {
        try await loaded.withLock { $0.remoteKey }?.prove(deadline: deadline)
    }

    /// Reads the files again. What was in use stays in use unless all of them are good.
    /// - Parameter deadline: how long to wait for a key that is elsewhere.
    /// - Throws: `invalid_argument` naming the file and what is wrong with it; `key_unavailable`, `deadline_exceeded` or
    ///   `cancelled` if a key that is elsewhere does not answer, and the certificate is for another than is in use.
    public func reload(deadline: Deadline = .after(.seconds(10))) async throws(SecretError) {
        let fresh = try LoadedTLSContext(files: files, now: clock.now())
        if let key = fresh.remoteKey {
            do throws(SecretError) {
                try await key.prove(deadline: deadline)
            } catch {
                let used = loaded.withLock { $0.remoteKey }
                guard error.code != .invalidArgument, let used, used.isProven, used.publicKey == key.publicKey else {
                    throw error
                }
                // Renewed for the same key, which is known to be there, only not now.
                key.trust()
            }
        }
        loaded.withLock { $0 = fresh }
    }
}
