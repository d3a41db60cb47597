// Reads certificates from a PEM file, and says when they are valid.

import FoundationEssentials
public import PosternProtocol
import SwiftASN1
import X509

/// The certificate authorities that may sign client certificates, and their revocation lists.
public struct ClientAuthorities: Sendable {
    let certificates: [Certificate]
    /// Their certificates in DER, in the file's order.
    public let der: [[UInt8]]

    /// Reads them from a PEM file (RFC 7468 §5) with at least one CA certificate.
    ///
    /// List intermediate CAs too where their revocation lists are used.
    /// - Parameters:
    ///   - file: the file's path.
    ///   - now: the time at which at least one of them must be valid.
    /// - Throws: `invalid_argument` if the file does not parse, is empty, has a certificate that is not a CA's, or
    ///   if all have expired.
    public init(file: String, now: Timestamp) throws(SecretError) {
        let entries = try CertificateFile.read(file, what: "Client CA file")
        for entry in entries {
            guard case .isCertificateAuthority = try? entry.certificate.extensions.basicConstraints else {
                throw SecretError(
                    .invalidArgument,
                    "Client CA file \(file): the certificate of \(entry.certificate.subject) is not a CA's "
                        + "(its basic constraints do not say so).")
            }
        }
        guard entries.contains(where: { $0.certificate.notAfter >= now }) else {
            throw SecretError(.invalidArgument, "Client CA file \(file): every certificate in it has expired.")
        }
        certificates = entries.map(\.certificate)
        der = entries.map(\.der)
    }
}

/// Certificates in a PEM file.
enum CertificateFile {
    struct Entry {
        let certificate: Certificate
        let der: [UInt8]
    }

    static func read(_ path: String, what: String) throws(SecretError) -> [Entry] {
        let text = String(decoding: try SmallFile.read(path, what: what), as: UTF8.self)
        var entries: [Entry] = []
        do {
            for document in try PEMDocument.parseMultiple(pemString: text)
            where document.discriminator == Certificate.defaultPEMDiscriminator {
                entries.append(Entry(certificate: try Certificate(pemDocument: document), der: document.derBytes))
            }
        } catch {
            throw SecretError(.invalidArgument, "\(what) \(path) is not a file of PEM certificates: \(error)")
        }
        guard !entries.isEmpty else {
            throw SecretError(.invalidArgument, "\(what) \(path) has no PEM certificate in it.")
        }
        return entries
    }
}

extension Certificate {
    /// When it becomes valid; dates in certificates are whole seconds.
    var notBefore: Timestamp { Timestamp(seconds: Int64(notValidBefore.timeIntervalSince1970)) }
    /// When it expires.
    var notAfter: Timestamp { Timestamp(seconds: Int64(notValidAfter.timeIntervalSince1970)) }
}
