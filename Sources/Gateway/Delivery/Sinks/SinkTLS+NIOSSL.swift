// TLS as NIO has it. Servers are always verified.

import NIOSSL

extension SinkTLS {
    /// The configuration, with the files as they are now.
    func configuration() throws(SinkFailure) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        do {
            if let authorities { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities)) }
        } catch {
            throw SinkFailure(message: "\(authorities ?? "") cannot be used: it must be certificates in PEM")
        }
        guard let identity else { return tls }
        do {
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile(identity.certificate).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity.key, format: .pem))
        } catch {
            throw SinkFailure(
                message:
                    "\(identity.certificate) and \(identity.key) cannot be used: they must be a certificate and its "
                    + "key in PEM")
        }
        return tls
    }
}
