// Loads and checks the files of a TLS server.

import Crypto
import Glibc
import NIOSSL
import PosternProtocol
import SwiftASN1
import X509

/// A TLS context with what was learned while it was made.
struct LoadedTLSContext: Sendable {
    let context: NIOSSLContext
    let notAfter: Timestamp
    let fingerprint: String
    let clientAuthorities: ClientAuthorities?
    /// The private key where it is elsewhere. Nobody has asked it yet whether it belongs to the certificate.
    let remoteKey: RemoteTLSKey?

    init(files: TLSFiles, now: Timestamp) throws(SecretError) {
        let chain = try CertificateFile.read(files.certificate, what: "Server certificate")
        let leaf = chain[0]
        let privateKey: NIOSSLPrivateKey
        let keyName: String
        switch files.key {
        case .file(let path):
            let key = try Self.privateKey(path)
            guard leaf.certificate.publicKey == key.publicKey else {
                throw SecretError(
                    .invalidArgument,
                    "Server key \(path) does not belong to the first certificate in \(files.certificate).")
            }
            (privateKey, keyName, remoteKey) = (key.forTLS, path, nil)
        case .remote(let key):
            let remote = try RemoteTLSKey(
                key, of: leaf.certificate, file: files.certificate, patience: files.signaturePatience)
            (privateKey, keyName, remoteKey) = (NIOSSLPrivateKey(customPrivateKey: remote), key.name, remote)
        }
        guard now <= leaf.certificate.notAfter else {
            throw SecretError(
                .invalidArgument,
                "Server certificate \(files.certificate) expired at \(leaf.certificate.notAfter); renew it.")
        }
        guard now >= leaf.certificate.notBefore else {
            throw SecretError(
                .invalidArgument,
                "Server certificate \(files.certificate) is not valid before \(leaf.certificate.notBefore); check the clock."
            )
        }
        clientAuthorities =
            if let file = files.clientAuthorities { try ClientAuthorities(file: file, now: now) } else { nil }
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try chain.map { .certificate(try NIOSSLCertificate(bytes: $0.der, format: .der)) },
                privateKey: .privateKey(privateKey))
            configuration.minimumTLSVersion =
                switch files.minimumVersion {
                case .v1_2: .tlsv12
                case .v1_3: .tlsv13
                }
            configuration.applicationProtocols = files.applicationProtocols
            if let clientAuthorities {
                // A certificate is required and must lead to one of these; the name in it is judged by policy.
                configuration.certificateVerification = .noHostnameVerification
                configuration.trustRoots = .certificates(
                    try clientAuthorities.der.map { try NIOSSLCertificate(bytes: $0, format: .der) })
            }
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw SecretError(
                .invalidArgument, "The TLS files \(files.certificate) and \(keyName) cannot be used: \(error)")
        }
        notAfter = leaf.certificate.notAfter
        fingerprint = PeerCertificate.fingerprint(of: Array(leaf.der))
    }

    /// A private key, as the TLS library needs it and with the public key to compare.
    ///
    /// Parsed here rather than by the TLS library, which asks for a passphrase on the terminal.
    private static func privateKey(
        _ path: String
    ) throws(SecretError) -> (publicKey: Certificate.PublicKey, forTLS: NIOSSLPrivateKey) {
        var bytes = try SmallFile.readKey(path, what: "Server key")
        defer { unsafe explicit_bzero(&bytes, bytes.count) }
        // The parser's own words are left out of it: they could quote the key.
        let refusal = SecretError(
            .invalidArgument, "Server key \(path) is not a private key in PEM without a passphrase (EC or RSA).")
        do {
            let documents = try PEMDocument.parseMultiple(pemString: String(decoding: bytes, as: UTF8.self))
            // Some tools write the curve's parameters before the key.
            guard let document = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") }) else {
                throw refusal
            }
            let key = try Certificate.PrivateKey(pemDocument: document)
            return (key.publicKey, try NIOSSLPrivateKey(bytes: document.derBytes, format: .der))
        } catch {
            throw refusal
        }
    }
}
