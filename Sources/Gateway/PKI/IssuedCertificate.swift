// A certificate with its key, as text and as files.

import Crypto
public import PosternProtocol
import SwiftASN1
import X509

/// A certificate and the private key that belongs to it.
public struct IssuedCertificate: Sendable {
    /// The certificate in PEM (RFC 7468 §5).
    public let certificatePEM: String
    /// The certificate in DER.
    public let certificateDER: [UInt8]
    /// The private key in PEM (PKCS #8, RFC 7468 §10).
    public let keyPEM: SecretBytes
    /// When the certificate expires.
    public let notAfter: Timestamp

    init(certificate: Certificate, key: P256.Signing.PrivateKey) throws(SecretError) {
        do {
            let document = try certificate.serializeAsPEM()
            certificatePEM = document.pemString + "\n"
            certificateDER = document.derBytes
        } catch {
            throw SecretError(.internalError, "The certificate could not be encoded: \(error)")
        }
        keyPEM = SecretBytes(key.pemRepresentation + "\n")
        notAfter = certificate.notValidAfter.timestamp
    }

    /// Writes both to files: the certificate readable by all (0644), the key by its owner only (0600).
    ///
    /// Nothing is written if either file is there already, unless replacing is asked for.
    /// - Parameters:
    ///   - certificateFile: where the certificate goes.
    ///   - keyFile: where the key goes.
    ///   - replacing: whether files that are there already are replaced, each in one step.
    /// - Throws: `conflict` if a file is there already, `internal` if one cannot be written.
    public func write(
        certificateFile: String, keyFile: String, replacing: Bool = false
    ) throws(SecretError) {
        if !replacing {
            for path in [certificateFile, keyFile] where NewFile.exists(path) { throw NewFile.taken(path) }
        }
        let pem = SecretBytes(certificatePEM)
        try NewFile.write(keyPEM, to: keyFile, mode: 0o600, replacing: replacing)
        do {
            try NewFile.write(pem, to: certificateFile, mode: 0o644, replacing: replacing)
        } catch {
            // A key without its certificate is of no use; the next attempt must not trip over it.
            if !replacing { NewFile.remove(keyFile) }
            throw error
        }
    }
}
