// What a verified client certificate says about who the client is.
//
// TLS has already proved that the peer holds the key and that a trusted CA signed the certificate
// (RFC 5280 §6); here only names are read.

import Crypto
public import PosternProtocol
import SwiftASN1
import X509

/// The identity in a client's certificate.
public struct PeerCertificate: Sendable, Hashable {
    /// The SPIFFE ID: the certificate's one URI name, where that is a `spiffe://` one.
    public let spiffeID: String?
    /// The DNS names, in lower case, in the certificate's order, each once.
    public let dnsNames: [String]
    /// SHA-256 of the DER certificate: 64 lower-case hex digits.
    public let fingerprint: String
    /// The subject's common name, if there is exactly one. Never an identity unless configured.
    public let commonName: String?
    /// The serial number: big-endian bytes without leading zeros.
    public let serial: [UInt8]
    /// The issuer's distinguished name as the certificate encodes it, in DER.
    public let issuerDER: [UInt8]
    /// When the certificate expires (RFC 5280 §4.1.2.5).
    public let notAfter: Timestamp

    /// Reads the identity from a certificate.
    /// - Parameter der: the certificate in DER.
    /// - Throws: `unauthenticated` if the certificate does not parse, has several URI names or a malformed SPIFFE ID.
    public init(der: [UInt8]) throws(SecretError) {
        let certificate: Certificate
        let names: [GeneralName]
        do {
            certificate = try Certificate(derEncoded: der)
            names = try certificate.extensions.subjectAlternativeNames.map { Array($0) } ?? []
            (serial, issuerDER) = try serialAndIssuer(inCertificate: der)
        } catch {
            throw SecretError(.unauthenticated, "The client certificate does not parse as X.509: \(error).")
        }
        spiffeID = try Self.spiffeID(in: names)
        dnsNames = Self.dnsNames(in: names)
        commonName = Self.commonName(of: certificate.subject)
        fingerprint = Self.fingerprint(of: der)
        notAfter = certificate.notAfter
    }

    /// Whether the certificate has a name that identifies: a SPIFFE ID or a DNS name. One without can still be
    /// identified by its fingerprint.
    public var isNamed: Bool { spiffeID != nil || !dnsNames.isEmpty }

    /// What somebody is told whose certificate has no name, and whose fingerprint nobody knows.
    public static let noUsableIdentity = SecretError(
        .unauthenticated,
        "The client certificate has no usable identity: it needs a SPIFFE ID or a DNS name as subject alternative name."
    )

    /// The fingerprint of a certificate, whether or not it can be read.
    /// - Parameter der: the certificate in DER.
    /// - Returns: SHA-256 in lower-case hex.
    public static func fingerprint(of der: [UInt8]) -> String { SHA256.hash(data: der).hexadecimal }

    /// The serial number as upper-case hex, as `openssl x509 -serial` prints it.
    public var serialHex: String { serial.hexadecimal.uppercased() }

    /// Whether the certificate has expired; a connection that outlives its certificate must end.
    public func hasExpired(at time: Timestamp) -> Bool { notAfter < time }

    private static func spiffeID(in names: [GeneralName]) throws(SecretError) -> String? {
        let uris = names.compactMap { name in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
        guard uris.count <= 1 else {
            throw SecretError(
                .unauthenticated,
                "The client certificate has \(uris.count) URI names; a SPIFFE certificate has exactly one.")
        }
        guard let uri = uris.first, uri.lowercased().hasPrefix(SPIFFEID.scheme) else { return nil }
        do {
            return try SPIFFEID(uri).text
        } catch {
            throw SecretError(.unauthenticated, "The client certificate is refused. \(error.message)")
        }
    }

    private static func dnsNames(in names: [GeneralName]) -> [String] {
        var seen = Set<String>()
        return names.compactMap { name in
            guard case .dnsName(let text) = name, !text.isEmpty else { return nil }
            let lower = text.lowercased()
            return seen.insert(lower).inserted ? lower : nil
        }
    }

    private static func commonName(of subject: DistinguishedName) -> String? {
        let attributes = subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        guard attributes.count == 1 else { return nil }
        return attributes.first.flatMap { String($0.value) }
    }
}
