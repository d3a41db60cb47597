// A small certificate authority for development and tests: one key, one self-signed certificate, and
// server and client certificates with just the extensions that RFC 5280 §4.2 and SPIFFE ask for.

import Crypto
public import PosternProtocol
import SwiftASN1
import X509

/// A development certificate authority (CA).
///
/// For development and tests. In production use the certificates of your own CA, SPIRE or a service mesh.
public struct CertificateAuthority: Sendable {
    /// The default validity of the CA's own certificate: ten years.
    public static let defaultValidity = Duration.seconds(3650 * 86_400)

    let certificate: Certificate
    let key: P256.Signing.PrivateKey
    let clock: any WallClock

    /// Makes a new CA with a new P-256 key.
    /// - Parameters:
    ///   - commonName: the CA's name, 1–64 bytes (RFC 5280 appendix A.1, `ub-common-name`).
    ///   - validity: how long its certificate is valid from now.
    ///   - clock: tells the time.
    /// - Throws: `invalid_argument` for a bad name or validity.
    public static func create(
        commonName: String, validity: Duration = CertificateAuthority.defaultValidity,
        clock: any WallClock = SystemWallClock()
    ) throws(SecretError) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        let name = try Names.distinguishedName(commonName: commonName)
        let publicKey = Certificate.PublicKey(key.publicKey)
        let certificate = try CertificateBuilder.sign(
            subject: name, issuer: name, publicKey: publicKey, issuerKey: key,
            validity: try ValidityPeriod(from: clock.now(), lasting: validity),
            extensions: {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            })
        return CertificateAuthority(certificate: certificate, key: key, clock: clock)
    }

    /// Loads a CA that was made before.
    /// - Parameters:
    ///   - certificatePEM: its certificate (RFC 7468 §5).
    ///   - keyPEM: its P-256 private key (RFC 7468 §10, or SEC 1).
    ///   - clock: tells the time.
    /// - Throws: `invalid_argument` if either does not parse, if they do not belong together, if the
    ///   certificate is not a CA's, or if it has expired.
    public static func load(
        certificatePEM: String, keyPEM: SecretBytes, clock: any WallClock = SystemWallClock()
    ) throws(SecretError) -> CertificateAuthority {
        let certificate: Certificate
        do {
            certificate = try Certificate(pemEncoded: certificatePEM)
        } catch {
            throw SecretError(.invalidArgument, "The CA certificate is not a PEM certificate: \(error).")
        }
        let key: P256.Signing.PrivateKey
        do {
            let text = unsafe keyPEM.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            key = try P256.Signing.PrivateKey(pemRepresentation: text)
        } catch {
            // The parser's own words are left out: they could quote the key.
            throw SecretError(.invalidArgument, "The CA key is not a P-256 private key in PEM without a passphrase.")
        }
        guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else {
            throw SecretError(.invalidArgument, "The CA key does not belong to the CA certificate.")
        }
        guard case .isCertificateAuthority = try? certificate.extensions.basicConstraints else {
            throw SecretError(.invalidArgument, "The CA certificate may not issue certificates: it is not a CA's.")
        }
        let authority = CertificateAuthority(certificate: certificate, key: key, clock: clock)
        guard clock.now() < authority.notAfter else {
            throw SecretError(
                .invalidArgument, "The CA certificate expired at \(authority.notAfter); make a new CA.")
        }
        return authority
    }

    /// When the CA's certificate expires.
    public var notAfter: Timestamp { certificate.notValidAfter.timestamp }

    /// The CA's certificate and key.
    /// - Throws: `internal` if they cannot be encoded.
    public func identity() throws(SecretError) -> IssuedCertificate {
        try IssuedCertificate(certificate: certificate, key: key)
    }
}
