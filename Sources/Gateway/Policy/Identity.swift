// Who calls: what a connection proves about itself, and the principal the policy makes of it.

/// A name the policy gives to somebody. Rules speak of principals, never of certificates or keys.
public struct PrincipalID: Hashable, Sendable, CustomStringConvertible {
    /// The name, as under `principals` in the policy file.
    public let name: String

    /// Makes a principal's name. That the policy knows it is not checked here.
    public init(_ name: String) {
        self.name = name
    }

    /// The name.
    public var description: String { name }
}

/// What a verified client certificate says about its holder.
public struct CertificateIdentity: Hashable, Sendable {
    /// The SPIFFE ID: the URI subject alternative name (SPIFFE X.509-SVID §2).
    public let spiffeID: String?
    /// The DNS subject alternative names, in the certificate's order.
    public let dnsNames: [String]
    /// The SHA-256 of the certificate's DER, in lower-case hex.
    public let fingerprint: String
    /// The subject's common name; nil unless the gateway is configured to honour it.
    public let commonName: String?

    /// Makes a certificate's identity.
    public init(spiffeID: String?, dnsNames: [String], fingerprint: String, commonName: String? = nil) {
        self.spiffeID = spiffeID
        self.dnsNames = dnsNames
        self.fingerprint = fingerprint
        self.commonName = commonName
    }
}

/// What a caller was authenticated by.
public enum Credential: Hashable, Sendable {
    /// A client certificate that was verified.
    case certificate(CertificateIdentity)
    /// A named admin key whose value was verified.
    case adminKey(name: String)
}
