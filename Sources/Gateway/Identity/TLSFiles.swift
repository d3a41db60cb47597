// What a TLS server is made from: files, perhaps a key that is elsewhere, and the rules for who may connect.

/// The files and rules of one TLS server.
public struct TLSFiles: Sendable {
    /// Where a server's private key is.
    public enum Key: Sendable {
        /// In a PEM file without a passphrase, not readable by others (0600 or 0640 at most).
        case file(String)
        /// Elsewhere, as in an HSM.
        case remote(any RemotePrivateKey)
    }

    /// The oldest TLS version that is accepted.
    public enum MinimumVersion: String, Sendable, CaseIterable {
        /// TLS 1.2 (RFC 5246).
        case v1_2 = "1.2"
        /// TLS 1.3 (RFC 8446).
        case v1_3 = "1.3"
    }

    /// The server certificate and its intermediates in PEM, the server's own first.
    public let certificate: String
    /// The server's private key.
    public let key: Key
    /// The CAs that client certificates must lead to, in PEM; nil where clients need no certificate.
    ///
    /// These are the only trust roots: the system's are never used for clients.
    public let clientAuthorities: String?
    /// The oldest TLS version that is accepted.
    public let minimumVersion: MinimumVersion
    /// The protocols offered by ALPN (RFC 7301), preferred first.
    public let applicationProtocols: [String]
    /// How long a handshake waits for a key that is elsewhere.
    public let signaturePatience: Duration

    /// Names the files and rules.
    public init(
        certificate: String, key: Key, clientAuthorities: String?, minimumVersion: MinimumVersion = .v1_3,
        applicationProtocols: [String], signaturePatience: Duration = .seconds(10)
    ) {
        self.certificate = certificate
        self.key = key
        self.clientAuthorities = clientAuthorities
        self.minimumVersion = minimumVersion
        self.applicationProtocols = applicationProtocols
        self.signaturePatience = signaturePatience
    }
}
