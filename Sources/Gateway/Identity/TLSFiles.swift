// What a TLS server is made from: files, and the rules for who may connect.

/// The files and rules of one TLS server.
public struct TLSFiles: Sendable, Equatable {
    /// The oldest TLS version that is accepted.
    public enum MinimumVersion: String, Sendable, CaseIterable {
        /// TLS 1.2 (RFC 5246).
        case v1_2 = "1.2"
        /// TLS 1.3 (RFC 8446).
        case v1_3 = "1.3"
    }

    /// The server certificate and its intermediates in PEM, the server's own first.
    public let certificate: String
    /// The server's private key in PEM without a passphrase, not readable by others (0600 or 0640 at most).
    public let key: String
    /// The CAs that client certificates must lead to, in PEM; nil where clients need no certificate.
    ///
    /// These are the only trust roots: the system's are never used for clients.
    public let clientAuthorities: String?
    /// The oldest TLS version that is accepted.
    public let minimumVersion: MinimumVersion
    /// The protocols offered by ALPN (RFC 7301), preferred first.
    public let applicationProtocols: [String]

    /// Names the files and rules.
    public init(
        certificate: String, key: String, clientAuthorities: String?, minimumVersion: MinimumVersion = .v1_3,
        applicationProtocols: [String]
    ) {
        self.certificate = certificate
        self.key = key
        self.clientAuthorities = clientAuthorities
        self.minimumVersion = minimumVersion
        self.applicationProtocols = applicationProtocols
    }
}
