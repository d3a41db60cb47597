// `postern pki request`: asks an authority for a certificate of a server key in an HSM.

import ArgumentParser
import PosternPKCS11
import PosternPKI
import PosternProtocol

extension PKICommand {
    /// `postern pki request`.
    struct Request: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "request", abstract: "Print a certificate request (PKCS #10) for a server key in an HSM.",
            discussion: """
                Give it to your authority, or sign it with openssl x509 -req -copy_extensions copy. The key is made by \
                postern keys init where the configuration names it.
                """)

        @Option(name: .long, help: "The key: a pkcs11: URI.")
        var key: String

        @Option(name: .long, parsing: .upToNextOption, help: "DNS names of the server.")
        var serverDns: [String] = []

        @Option(name: .long, parsing: .upToNextOption, help: "IP addresses of the server.")
        var serverIp: [String] = []

        /// How long the HSM may take.
        private static let patience: Duration = .seconds(30)

        func run() async throws {
            try await reporting {
                let deadline = Deadline.after(Self.patience)
                let uri = try PKCS11URI(key)
                let signer = try PKCS11SigningKey(token: try Tokens().token(of: uri), key: uri)
                print(
                    try await CertificateRequest.server(
                        dnsNames: serverDns, ipAddresses: serverIp,
                        publicKey: try await signer.publicKey(deadline: deadline),
                        key: HSMRequestingKey(key: signer, deadline: deadline)), terminator: "")
            }
        }
    }
}

/// A key in an HSM that signs a request.
private struct HSMRequestingKey: RequestingKey {
    let key: PKCS11SigningKey
    let deadline: Deadline

    func sign(_ message: [UInt8], _ algorithm: CertificateRequest.Algorithm) async throws(SecretError) -> [UInt8] {
        let known: PKCS11SignatureAlgorithm =
            switch algorithm {
            case .ecdsaSHA256: .ecdsa(.sha256)
            case .ecdsaSHA384: .ecdsa(.sha384)
            case .rsaSHA256: .rsaPKCS1(.sha256)
            }
        return try await key.sign(message, known, deadline: deadline)
    }
}
