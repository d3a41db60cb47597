// What a server tells about itself, for metrics.

/// Hears of connections and calls. Its functions run on event loops: they must be quick and must not block.
public protocol RPCObserver: Sendable {
    /// A connection was admitted.
    func connectionOpened(_ connection: RPCConnection)
    /// An admitted connection was closed.
    func connectionClosed(_ connection: RPCConnection)
    /// An admitted connection is being closed because its peer sent a flood, or bytes that are not HTTP/2.
    func connectionMisbehaved(_ connection: RPCConnection)
    /// A connection was turned away, or its peer left before it was admitted.
    /// - Parameters:
    ///   - refusal: which kind of refusal, for counting.
    ///   - address: the peer's IP address as text, without its port; nil if it is not known.
    ///   - detail: why, in one token of the TLS library (`CERTIFICATE_VERIFY_FAILED`) or one short sentence, of at
    ///     most 200 characters and without secrets; empty if nothing is known.
    func connectionRefused(_ refusal: RPCRefusal, address: String?, detail: String)
    /// A call was answered or abandoned.
    /// - Parameters:
    ///   - method: the method, as `/package.Service/Method`; nil if the request named none we have.
    ///   - code: the status number sent; 1 (CANCELLED) if the caller was gone.
    ///   - duration: the time since the request's headers.
    func callFinished(method: String?, code: Int, duration: Duration)
}

/// Why a connection was turned away.
public enum RPCRefusal: String, Sendable, CaseIterable {
    /// As many connections as allowed were open.
    case tooManyConnections = "too_many_connections"
    /// The TLS handshake failed: no certificate, an untrusted one, or not TLS at all.
    case handshakeFailed = "handshake_failed"
    /// The peer closed the connection before it was admitted, without an error of TLS, as health checks and port
    /// scans do.
    case closedInHandshake = "closed_in_handshake"
    /// The handshake or the admission took too long.
    case handshakeTimeout = "handshake_timeout"
    /// The peer did not negotiate HTTP/2 by ALPN.
    case notHTTP2 = "not_http2"
    /// The admission closure refused it.
    case notAdmitted = "not_admitted"
    /// The server is shutting down.
    case shuttingDown = "shutting_down"
}

extension RPCObserver {
    /// Does nothing.
    public func connectionOpened(_ connection: RPCConnection) {}
    /// Does nothing.
    public func connectionClosed(_ connection: RPCConnection) {}
    /// Does nothing.
    public func connectionMisbehaved(_ connection: RPCConnection) {}
    /// Does nothing.
    public func connectionRefused(_ refusal: RPCRefusal, address: String?, detail: String) {}
    /// Does nothing.
    public func callFinished(method: String?, code: Int, duration: Duration) {}
}
