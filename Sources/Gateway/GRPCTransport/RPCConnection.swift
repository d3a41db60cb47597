// Who is at the other end, and whether to talk to them.

/// A peer that has completed the TLS handshake and waits to be let in.
public struct RPCPeer: Sendable {
    /// The connection's number, unique in the process.
    public let connectionID: UInt64
    /// The peer's IP address as text, without the port.
    public let remoteAddress: String
    /// The peer's port.
    public let remotePort: Int
    /// The peer's leaf certificate (X.509, DER), verified by the TLS context; nil if it sent none.
    public let certificateDER: [UInt8]?

    /// Makes a peer.
    public init(connectionID: UInt64, remoteAddress: String, remotePort: Int, certificateDER: [UInt8]?) {
        self.connectionID = connectionID
        self.remoteAddress = remoteAddress
        self.remotePort = remotePort
        self.certificateDER = certificateDER
    }
}

/// What to do with a peer.
public enum RPCAdmission: Sendable {
    /// Serve it. The attachment is kept with the connection for its calls to use, as the caller's identity.
    case accept(attachment: (any Sendable)?)
    /// Close the connection.
    case refuse(reason: String)
}

/// An admitted connection, as its calls see it.
public final class RPCConnection: Sendable {
    /// The connection's number, unique in the process.
    public let id: UInt64
    /// The peer's IP address as text, without the port.
    public let remoteAddress: String
    /// The peer's port.
    public let remotePort: Int
    /// The peer's leaf certificate (X.509, DER).
    public let peerCertificateDER: [UInt8]?
    /// What the admission closure returned.
    public let attachment: (any Sendable)?

    /// Makes a connection, for tests of handlers.
    public init(peer: RPCPeer, attachment: (any Sendable)?) {
        id = peer.connectionID
        remoteAddress = peer.remoteAddress
        remotePort = peer.remotePort
        peerCertificateDER = peer.certificateDER
        self.attachment = attachment
    }
}
